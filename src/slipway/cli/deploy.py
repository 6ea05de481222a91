"""validate, plan, deploy. What looks at data alone loads neither tables nor what looks at hosts."""

from __future__ import annotations

import json
import logging
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from slipway.cli.outcome import CHANGES_PENDING, truthful  # first: it patches for gevent

# isort: split
import click

from slipway.engine.declare import declare
from slipway.engine.inventory import find_inventory
from slipway.engine.run import Run
from slipway.paths import project_root
from slipway.preflight.findings import CHECKS, FINE, Finding, alike
from slipway.report import Change, managed_on

if TYPE_CHECKING:
    from slipway.engine.execute import Result
    from slipway.terminal import Terminal

limit_option = click.option("--limit", multiple=True, help="Only these hosts or groups (patterns allowed).")
wait_option = click.option(
    "--wait", type=click.IntRange(0), default=0, metavar="SECONDS", help="Wait so long for another run to end."
)
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
    """Show what a deploy would change, with diffs, and what it would stop at. Exit 0: nothing; exit 3: changes."""
    from slipway.engine.preflight import look
    from slipway.engine.prepare import pending, prepare
    from slipway.engine.session import connected

    quiet_pyinfra()
    with truthful(), connected(inventory, limit) as run:
        findings = [each for each in look(run) if each.severity != FINE]
        prepare(run, project_root() / "deploy.py")
        found = pending(run)
    _show_plan_json(run, found, findings) if as_json else _show_plan(run, found, findings)
    sys.exit(CHANGES_PENDING if found else 0)


def _show_plan(run: Run, found: dict[str, list[tuple[str, list[Change]]]], findings: list[Finding]) -> None:
    from slipway.engine.preflight import told
    from slipway.terminal import Terminal

    console = Terminal(highlight=False, soft_wrap=True)
    for hosts, each in alike(findings):
        console.print(f"{each.severity}: {told(hosts, each)}", markup=False)
    for member in run.fleet:
        for name, changes in found.get(member.name, []):
            console.print(f"{member.name}  {name}", style="bold", markup=False)
            for change in changes:
                console.print(f"    {change.subject}: {change.what}", markup=False)
                _show_diff(console, change.diff)
    count = sum(len(operations) for operations in found.values())
    console.print(f"{count} operations would change {len(found)} hosts." if found else "Nothing to do: all as wanted.")


def _show_diff(console: Terminal, diff: str) -> None:
    styles = {"+": "green", "-": "red", "@": "cyan"}
    for line in diff.splitlines():
        console.print(f"      {line}", style=styles.get(line[:1], "dim"), markup=False)


def _show_plan_json(run: Run, found: dict[str, list[tuple[str, list[Change]]]], findings: list[Finding]) -> None:
    hosts = {
        host: [{"operation": name, "changes": [asdict(change) for change in changes]} for name, changes in operations]
        for host, operations in found.items()
    }
    release = run.release.id if run.release else None
    managed = {host.name: sorted(managed_on(host)) for host in run.state.inventory}
    noted = [asdict(each) for each in findings]
    plan = {"inventory": run.fleet.inventory, "release": release, "hosts": hosts, "managed": managed, "findings": noted}
    click.echo(json.dumps(plan, indent=2))


@click.command()
@click.argument("inventory")
@limit_option
@json_option
@wait_option
@click.option("--despite", multiple=True, metavar="CHECK", type=click.Choice(list(CHECKS)),
              help="Go on despite what this check of `slipway doctor` finds.")  # fmt: skip
@click.option("--despite-holds", is_flag=True, help="Go on despite what people hold (see `slipway hold`).")
@click.option("-v", "--verbose", is_flag=True, help="Show operations that change nothing, too.")
def deploy(
    inventory: str, limit: tuple[str, ...], as_json: bool, wait: int, despite: tuple[str, ...], despite_holds: bool,
    verbose: bool,
) -> None:  # fmt: skip
    """Bring every host to what is wanted, migrate once, roll the release host by host, prove and record it."""
    from slipway.cli.watch import watched
    from slipway.engine.session import connected

    quiet_pyinfra()
    with truthful(), watched(as_json, verbose) as watch, connected(inventory, limit, watch.events) as run:
        watch.begin(run, "deploy")
        run.despite = frozenset(despite)
        result = _unless_held(run, wait, despite_holds)
    sys.exit(watch.end(result, run))


def _unless_held(run: Run, wait: float, despite_holds: bool) -> Result:
    """Asks a person on a terminal, holding no lock meanwhile. Raises Held where nobody is there, or says no."""
    from slipway.engine.holding import Held, stop_at_holds
    from slipway.engine.session import deploy as deploy_run
    from slipway.printable import say

    if despite_holds:
        return deploy_run(run, wait=wait)
    run.preconditions.append(lambda: stop_at_holds(run))
    try:
        return deploy_run(run, wait=wait)
    except Held as error:
        if not sys.stdin.isatty():
            raise
        say(str(error), err=True)
        if not click.confirm("Deploy all the same?", err=True):
            raise
    run.preconditions.pop()
    return deploy_run(run, wait=wait)


def quiet_pyinfra() -> None:
    """pyinfra's own lines say no operation's name: our progress tells it instead. Errors stay."""
    logging.getLogger("pyinfra").setLevel(logging.CRITICAL)
