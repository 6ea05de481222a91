"""reconcile: what hosts differ in from what was released to them; told apart, and mended where that is asked for."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from slipway.cli.outcome import truthful  # first: it patches for gevent

# isort: split
import click

from slipway.cli.deploy import json_option, quiet_pyinfra
from slipway.cli.watch import Watch, watched
from slipway.engine.events import Events
from slipway.engine.execute import Result
from slipway.engine.reconciling import project_of
from slipway.engine.reconciling import reconcile as reconcile_fleet
from slipway.engine.run import Run
from slipway.pull.own_host import own_name
from slipway.reconcile.result import Difference, HostReport, Mend, Reconciliation
from slipway.reconcile.watched.after import after
from slipway.terminal import Terminal
from slipway.timeline import Timeline

THIS_HOST = "."
"""For `--here` without a name: the name that the host has itself."""

STYLES = {"drift": "bold red", "owed": "yellow", "intended": "cyan", "noise": "dim"}
DIFF_STYLES = {"+": "green", "-": "red", "@": "cyan"}


@click.command()
@click.argument("inventory")
@click.option(
    "--mend", type=click.Choice(["none", "drift", "all"]), default="none", show_default=True,
    help="drift: put back what was changed, finish what is owed; all: bring what is intended, too.",
)  # fmt: skip
@click.option("--watched", "is_watched", is_flag=True, help="The timer's run: write metrics, tell what began or ended.")
@click.option(
    "--here", is_flag=False, flag_value=THIS_HOST, default="", metavar="[HOST]",
    help="Only this host, without SSH: the one that it runs on, as root. docs/pull.md",
)  # fmt: skip
@json_option
def reconcile(inventory: str, mend: Mend, is_watched: bool, here: str, as_json: bool) -> None:
    """Compare every host with what was last released to it, and with what the repository wants now.

    \b
    Each difference is one of:
      drift     somebody or something has changed the host
      owed      a run did not finish: a restart, a reload, a step
      intended  the repository moved on; a deploy will bring it
      noise     declared as known (`reconcile` in group_data): counted, left alone

    It gives way to people: where somebody is at work, it touches nothing and ends with 75.

    \b
    Exit codes: 0 nothing is left that raises anything (intended, held and noise do not);
    1 a host was not reached, not read or not mended; 2 bad input; 3 drift or owed is left;
    75 somebody else is at work.
    """
    quiet_pyinfra()
    with truthful(), _watching(as_json) as watching:
        project = project_of(inventory, is_watched, own_name() if here == THIS_HOST else here)
        found = reconcile_fleet(project, inventory, mend, watching)
    click.echo(found.to_json(), nl=False) if as_json else show(found)
    _follow(found, project, watching.timeline, is_watched)
    sys.exit(found.exit_code)


def _follow(found: Reconciliation, project: Run, timeline: Timeline, is_watched: bool) -> None:
    """What follows it: the report, and what watches the timer's runs. How it ended is not changed by that."""
    settings = project.reconcile if is_watched else project.reconcile.unwatched
    done = after(found, settings, project.secrets, timeline.picture)
    console = Terminal(stderr=True, highlight=False, soft_wrap=True)
    for failure in done.failures:
        console.print(f"warning: {failure}", markup=False, style="yellow")
    if done.page:
        console.print(f"Report: {done.page}", markup=False)


class _Silent:
    """Nobody looks on: what is told afterwards is all that a program wants."""

    def __init__(self) -> None:
        self.timeline = Timeline()
        self.events = Events(self.timeline)

    def begin(self, run: Run, what: str) -> None: ...

    def end(self, result: Result, run: Run) -> None: ...


@contextmanager
def _watching(as_json: bool) -> Iterator[Watch | _Silent]:
    if as_json:
        yield _Silent()
        return
    with watched() as watch:
        yield watch


def show(found: Reconciliation) -> None:
    """What came of it, for a person."""
    console = Terminal(soft_wrap=True)
    for host in found.hosts:
        _show_host(console, host)
    for line in (*found.notes, *found.errors):
        console.print(line, style="red" if line in found.errors else "yellow")
    console.print(_summary(found))


def _show_host(console: Terminal, host: HostReport) -> None:
    if host.why:
        reached = "could not be read" if host.is_reached else "unreachable"
        console.print(f"{host.name}  {reached}: {host.why}", style="bold red")
    for hold in host.holds:
        console.print(f"{host.name}  held: {hold.told}", style="magenta")
    for each in host.differences:
        _show_difference(console, host.name, each)
    if host.error:
        console.print(f"{host.name}  not mended: {host.error}", style="bold red")


def _show_difference(console: Terminal, host: str, each: Difference) -> None:
    more = [
        f"since {each.since}" if each.since else "",
        f"known: {each.reason}" if each.reason else "",
        f"held by {each.held_by}" if each.held_by else "",
        "mended" if each.is_mended else "",
        f"left: {each.left}" if each.left else "",
    ]
    told = "".join(f" ({part})" for part in more if part)
    role = f"{each.role}: " if each.role else ""
    console.print(f"{host}  {each.kind}  {role}{each.operation}{told}", style=STYLES[each.kind])
    console.print(f"    {each.subject}: {each.what}")
    for line in each.diff.splitlines():
        console.print(f"      {line}", style=DIFF_STYLES.get(line[:1], "dim"))


def _summary(found: Reconciliation) -> str:
    kinds = {kind: sum(each.kind == kind for host in found.hosts for each in host.differences) for kind in STYLES}
    counts = ", ".join(f"{count} {kind}" for kind, count in kinds.items() if count) or "no differences"
    moved = f"; the repository wants {found.wanted}" if found.wanted != found.release and found.wanted else ""
    on_record = f"release {found.release}{moved}" if found.release else "nothing on record: nothing to drift from"
    return f"{found.inventory}: {found.outcome}: {counts}; {on_record}; {found.seconds:.1f} s"
