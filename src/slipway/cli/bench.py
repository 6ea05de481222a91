"""bench: side by side with stock pyinfra and Ansible, on the same hosts."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from slipway.problems import BadInput, Problem, did_you_mean

if TYPE_CHECKING:
    from slipway.bench.results import Figure
    from slipway.bench.series import Plan

LAB = "bench"
"""The lab that the full stack is deployed to: nobody's else."""
_HELP = {
    "hosts": "How many light hosts, separated by commas.",
    "round_trips": "Milliseconds added to the round trip, separated by commas; 0 is direct.",
    "scenarios": "no-op, one-file, first, stack (the whole lab); NAME:COUNT runs it so often.",
    "contestants": "floor, slipway, pyinfra, ansible, mitogen.",
    "repeat": "Runs that a median is of.",
    "longest": "Leave out who is expected to need more seconds for one run.",
    "minutes": "Begin no run after this time.",
    "into": "Where tables, plot and raw figures go.",
}
_SCENARIOS = {"no-op": "no-op", "one-file": "one file", "first": "first deploy", "stack": "full stack, no-op"}


@click.command()
@click.option("--hosts", default="1,7,50", show_default=True, help=_HELP["hosts"])
@click.option("--round-trips", default="0,50", show_default=True, help=_HELP["round_trips"])
@click.option("--scenarios", default="no-op,one-file,first,stack", show_default=True, help=_HELP["scenarios"])
@click.option(
    "--contestants", default="floor,slipway,pyinfra,ansible,mitogen", show_default=True, help=_HELP["contestants"]
)
@click.option("--repeat", default=5, show_default=True, type=click.IntRange(1), help=_HELP["repeat"])
@click.option("--longest", default=600.0, show_default=True, help=_HELP["longest"])
@click.option("--minutes", default=600.0, show_default=True, help=_HELP["minutes"])
@click.option("--into", type=click.Path(path_type=Path, file_okay=False), default=None, help=_HELP["into"])
@click.option("--add", is_flag=True, help="Beside the figures that are there already: a series in several parts.")
@click.option("--keep", is_flag=True, help="Leave the hosts up.")
@click.option("--yes", is_flag=True, help="Consent to what has to be installed and started.")
def bench(
    hosts: str, round_trips: str, scenarios: str, contestants: str, repeat: int, longest: float, minutes: float,
    into: Path | None, add: bool, keep: bool, yes: bool,
) -> None:  # fmt: skip
    """Measure Slipway against stock pyinfra, Ansible and Mitogen on the same hosts, which are looked at afterwards."""
    from slipway.bench.series import Plan

    plan = Plan(
        hosts=_numbers("--hosts", hosts, 1),
        round_trips_ms=_numbers("--round-trips", round_trips, 0),
        repeats=_repeats(scenarios, repeat),
        contestants=_contestants(contestants),
        longest=longest,
        until=time.monotonic() + minutes * 60,
    )
    sys.exit(_measure(plan, into, add, keep, yes))


def _numbers(option: str, text: str, least: int) -> tuple[int, ...]:
    words = text.split(",")
    if not all(word.isdecimal() and int(word) >= least for word in words):
        raise BadInput([Problem(option, f"{text!r} is no list of numbers from {least} on", "write: 1,7,50")])
    return tuple(sorted({int(word) for word in words}))


def _repeats(text: str, repeat: int) -> dict[str, int]:
    found = {}
    for word in text.split(","):
        name, _, count = word.partition(":")
        if name not in _SCENARIOS:
            raise BadInput([Problem("--scenarios", f"there is no {name!r}", did_you_mean(name, _SCENARIOS))])
        if count and not (count.isdecimal() and int(count)):
            raise BadInput([Problem("--scenarios", f"{word!r} has no number after its colon", "write: first:2")])
        found[_SCENARIOS[name]] = int(count or repeat)
    return found


def _contestants(text: str) -> tuple[str, ...]:
    from slipway.bench.contestants import CONTESTANTS

    known = [each.key for each in CONTESTANTS]
    for word in text.split(","):
        if word not in known:
            raise BadInput([Problem("--contestants", f"there is no {word!r}", did_you_mean(word, known))])
    return tuple(text.split(","))


def _measure(plan: Plan, into: Path | None, add: bool, keep: bool, yes: bool) -> int:
    from slipway.bench.environment import missing_ansible
    from slipway.bench.series import NotDone
    from slipway.lab.engine import LabFailed
    from slipway.machine import make_ready
    from slipway.paths import state_dir

    place = state_dir() / "bench"
    try:
        make_ready(yes, missing_ansible() if plan.needs_ansible else [])
        light, left_out = _on_light_hosts(plan, place / "work", keep) if plan.on_light_hosts else ([], [])
        stack = _on_the_full_stack(plan, place / "work", keep) if plan.stack_runs else []
        _leave([*light, *stack], left_out, into or place / "results", add)
    except (LabFailed, NotDone) as error:
        click.echo(str(error), err=True)
        return 1
    return 0


def _on_light_hosts(plan: Plan, work: Path, keep: bool) -> tuple[list[Figure], list[str]]:
    from slipway.bench.environment import ansible_environment
    from slipway.bench.series import Series
    from slipway.lab.light import LightHosts

    light = LightHosts(say=_say)
    try:
        series = Series(light, plan, work, ansible_environment(), _say)
        series.run()
    finally:
        if not keep:
            light.down()
    return series.figures, series.left_out


def _on_the_full_stack(plan: Plan, work: Path, keep: bool) -> list[Figure]:
    from slipway.bench.stack import StackSeries
    from slipway.lab.lab import Lab

    lab = Lab(LAB, say=_say)
    try:
        return StackSeries(lab, plan.round_trips_ms, work, _say).run(plan.stack_runs, plan.until)
    finally:
        if not keep:
            lab.down()


def _leave(figures: list[Figure], left_out: list[str], into: Path, add: bool) -> None:
    from slipway.bench.about import about
    from slipway.bench.page import PAGE, RAW, files, joined

    into.mkdir(parents=True, exist_ok=True)
    before = (into / RAW).read_text(encoding="utf-8") if add and (into / RAW).is_file() else ""
    everything, taken_on = joined(before, figures, about(left_out))
    page = (into / PAGE).read_text(encoding="utf-8") if (into / PAGE).is_file() else None
    for name, content in files(everything, taken_on, page).items():
        (into / name).write_text(content, encoding="utf-8")
    click.echo(f"tables, plot and raw figures: {into}", err=True)


def _say(line: str) -> None:
    click.echo(line, err=True)
