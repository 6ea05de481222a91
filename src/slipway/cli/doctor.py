"""doctor: whether hosts are ready for a deploy, and what to do where they are not."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import asdict

from slipway.cli.outcome import FAILED, truthful  # first: it patches for gevent

# isort: split
import click
from rich.table import Table
from rich.text import Text

from slipway.cli.deploy import json_option, limit_option, quiet_pyinfra
from slipway.engine.preflight import look
from slipway.engine.run import Run
from slipway.engine.session import answering
from slipway.preflight.findings import ERROR, FINE, WARNING, Finding, alike, of, worst_first
from slipway.preflight.reaching import unreachable
from slipway.printable import printable
from slipway.problems import named
from slipway.terminal import Terminal

STYLES = {ERROR: "bold red", WARNING: "yellow", FINE: "green"}


@click.command()
@click.argument("inventory")
@limit_option
@json_option
def doctor(inventory: str, limit: tuple[str, ...], as_json: bool) -> None:
    """Look at every host: what a deploy would stop at, and what to do. Exit 1 where it would. Changes nothing."""
    quiet_pyinfra()
    with truthful(), answering(inventory, limit) as (run, away):
        order = [member.name for member in run.fleet if member.name in away or member.name in _there(run)]
        found = worst_first([*_away(run, away), *look(run, thorough=True)], order)
    if as_json:
        click.echo(json.dumps([asdict(each) for each in found], indent=2))
    else:
        show(found, order, Terminal())
    sys.exit(FAILED if of(found, ERROR) else 0)


def _there(run: Run) -> set[str]:
    return {host.name for host in run.state.inventory.get_active_hosts()}


def _away(run: Run, away: dict[str, str]) -> Iterable[Finding]:
    for name, why in away.items():
        host = run.state.inventory.get_host(name)
        yield unreachable(name, str(host.data.get("ssh_hostname") or name), why)


def show(found: list[Finding], order: list[str], console: Terminal) -> None:
    """What is wrong, worst first, with what to do below it; then for each host what is well, in one line."""
    bad = [each for each in found if each.severity != FINE]
    if bad:
        console.print(_table(bad))
    for name in order:
        well = [f"{each.check} ({each.what})" for each in found if (each.host, each.severity) == (name, FINE)]
        if well:
            console.print(Text.assemble((name, "bold"), (" ok: ", STYLES[FINE]), ", ".join(well)))
    errors, warnings = len(of(found, ERROR)), len(of(found, WARNING))
    console.print(f"{len(order)} hosts: {_counted(errors, 'error')}, {_counted(warnings, 'warning')}.", highlight=False)


def _table(bad: list[Finding]) -> Table:
    table = Table(show_lines=True)
    table.add_column("Host", max_width=20)
    table.add_column("Check")
    table.add_column("Finding, and what to do", ratio=1)
    for hosts, each in alike(bad):
        what = Text.assemble(printable(each.what), ("\n-> ", "bold"), printable(each.do))
        table.add_row(Text(named(hosts)), Text(each.check, style=STYLES[each.severity]), what)
    return table


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")
