"""validate, plan, deploy."""

from __future__ import annotations

import contextlib
import json
import logging
import sys
from collections.abc import Iterator
from dataclasses import asdict

from slipway.cli.outcome import CHANGES_PENDING, FAILED, truthful  # first: it patches for gevent

# isort: split
import click
from rich.console import Console

from slipway.engine.declare import declare
from slipway.engine.events import Event, Events
from slipway.engine.execute import Result
from slipway.engine.inventory import find_inventory
from slipway.engine.prepare import pending, prepare
from slipway.engine.progress import JsonProgress, LiveProgress, PlainProgress, errors, summary
from slipway.engine.run import Run
from slipway.engine.session import connected
from slipway.engine.session import deploy as deploy_run
from slipway.paths import project_root
from slipway.report import Change, managed_on

limit_option = click.option("--limit", multiple=True, help="Only these hosts or groups (patterns allowed).")
json_option = click.option("--json", "as_json", is_flag=True, help="Machine-readable output on standard output.")


@click.command()
@click.argument("inventory")
def validate(inventory: str) -> None:
    """Check data, templates, secrets and the Compose file of every host; connect nowhere."""
    with truthful():
        run = declare(find_inventory(inventory), [project_root() / "deploy.py"])
    release = f", release {run.release.id}" if run.release else ""
    click.echo(f"{inventory}: {len(run.fleet.members)} hosts, {len(run.stages)} stages{release}: valid")


@click.command()
@click.argument("inventory")
@limit_option
@json_option
def plan(inventory: str, limit: tuple[str, ...], as_json: bool) -> None:
    """Show what a deploy would change, with diffs. Exit 0: nothing; exit 3: changes."""
    quiet_pyinfra()
    with truthful(), connected(inventory, limit) as run:
        prepare(run, project_root() / "deploy.py")
        found = pending(run)
    _show_plan_json(run, found) if as_json else _show_plan(run, found)
    sys.exit(CHANGES_PENDING if found else 0)


def _show_plan(run: Run, found: dict[str, list[tuple[str, list[Change]]]]) -> None:
    console = Console(highlight=False, soft_wrap=True)
    for member in run.fleet:
        for name, changes in found.get(member.name, []):
            console.print(f"{member.name}  {name}", style="bold", markup=False)
            for change in changes:
                console.print(f"    {change.subject}: {change.what}", markup=False)
                _show_diff(console, change.diff)
    count = sum(len(operations) for operations in found.values())
    console.print(f"{count} operations would change {len(found)} hosts." if found else "Nothing to do: all as wanted.")


def _show_diff(console: Console, diff: str) -> None:
    styles = {"+": "green", "-": "red", "@": "cyan"}
    for line in diff.splitlines():
        console.print(f"      {line}", style=styles.get(line[:1], "dim"), markup=False)


def _show_plan_json(run: Run, found: dict[str, list[tuple[str, list[Change]]]]) -> None:
    hosts = {
        host: [{"operation": name, "changes": [asdict(change) for change in changes]} for name, changes in operations]
        for host, operations in found.items()
    }
    release = run.release.id if run.release else None
    managed = {host.name: sorted(managed_on(host)) for host in run.state.inventory}
    told = {"inventory": run.fleet.inventory, "release": release, "hosts": hosts, "managed": managed}
    click.echo(json.dumps(told, indent=2))


@click.command()
@click.argument("inventory")
@limit_option
@json_option
@click.option("-v", "--verbose", is_flag=True, help="Show operations that change nothing, too.")
def deploy(inventory: str, limit: tuple[str, ...], as_json: bool, verbose: bool) -> None:
    """Bring every host to what is wanted, migrate once, roll the release host by host, prove and record it."""
    quiet_pyinfra()
    with truthful(), progress(as_json, verbose) as events, connected(inventory, limit, events) as run:
        result = deploy_run(run)
    if as_json:
        _show_result_json(result)
    else:
        show_result(result, run)
    sys.exit(0 if result.is_ok else FAILED)


@contextlib.contextmanager
def progress(as_json: bool, verbose: bool) -> Iterator[Events]:
    """Live on a terminal, plain lines elsewhere, one JSON object a line for programs."""
    console = Console(stderr=True)
    if as_json:
        yield Events(JsonProgress())
    elif console.is_terminal and not verbose:
        with LiveProgress(console) as live:
            yield Events(live)
    else:
        yield Events(PlainProgress(verbose=verbose))


def show_result(result: Result, run: Run) -> None:
    console = Console(stderr=True, highlight=False)
    console.print(summary(result))
    for line in errors(result):
        console.print(line, markup=False, style="red")
    if result.is_ok:
        release = f" Release {run.release.id}." if run.release else ""
        changes = f"{result.changed} changes." if result.changed else "No changes: all as wanted."
        console.print(f"{changes}{release}")


def _show_result_json(result: Result) -> None:
    JsonProgress()(
        Event(
            "run-end",
            outcome="" if result.is_ok else "failed",
            details={
                "hosts": {name: asdict(host) for name, host in result.hosts.items()},
                "changed": result.changed,
                "stopped_in": result.stopped_in,
                "untouched": list(result.untouched),
                "errors": errors(result),
            },
        )
    )


def quiet_pyinfra() -> None:
    """pyinfra's own lines say no operation's name: our progress tells it instead. Errors stay."""
    logging.getLogger("pyinfra").setLevel(logging.CRITICAL)
