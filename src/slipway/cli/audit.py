"""audit: who ran what from where, and how it ended."""

from __future__ import annotations

import json

from slipway.cli.outcome import truthful  # first: it patches for gevent

# isort: split
import click
import gevent
from pyinfra.api.host import Host
from rich.table import Table

from slipway.audited import Audit
from slipway.audited import audit as audit_of
from slipway.cli.deploy import json_option, quiet_pyinfra
from slipway.engine.session import looking
from slipway.facts.audit import Audited, AuditFact
from slipway.printable import say
from slipway.remote import Remote, RemoteFailed
from slipway.seam.hosts import select
from slipway.terminal import Terminal

LINES_OF_A_RUN = 3
"""How many lines of a host's file are read for each run that is shown: its beginning, its end, and some of a spare."""


@click.command()
@click.argument("inventory")
@click.option("--host", "hosts", multiple=True, help="Only what these hosts or groups have on record.")
@click.option("-n", "count", type=click.IntRange(1), default=20, show_default=True, help="The last so many runs.")
@json_option
def audit(inventory: str, hosts: tuple[str, ...], count: int, as_json: bool) -> None:
    """Who ran what from where, with which commit, on which hosts, and how it ended; newest last.

    The hosts keep it. A run that died "did not end"; one that was refused because another held the lock changed nothing
    and is not here.
    """
    runs = _read(inventory, hosts, count)[-count:]
    if as_json:
        click.echo(json.dumps([each.as_json() for each in runs], indent=2))
    else:
        _show(runs)


def _read(inventory: str, hosts: tuple[str, ...], count: int) -> list[Audit]:
    quiet_pyinfra()
    with truthful(), looking(inventory) as (state, unreachable):
        wanted = select(state.inventory, hosts, "--host") if hosts else list(state.inventory)
        jobs = {host.name: gevent.spawn(_on_record, host, count) for host in wanted if host.connected}
        gevent.joinall(list(jobs.values()), raise_error=True)
        told = {host.name: f"{host.name}: unreachable: {unreachable.get(host.name)}" for host in wanted}
    found = {name: job.value for name, job in jobs.items()}
    for name in (host.name for host in wanted if not isinstance(found.get(host.name), Audited)):
        say(str(found.get(name, told[name])), err=True)
    return audit_of({name: each for name, each in found.items() if isinstance(each, Audited)})


def _on_record(host: Host, count: int) -> Audited | str:
    """What the host has on record; else why it could not tell."""
    try:
        return Remote(host).fact(AuditFact, most=count * LINES_OF_A_RUN)
    except RemoteFailed as error:
        return str(error)


def _show(runs: list[Audit]) -> None:
    table = Table()
    for name in ("Begun (UTC)", "Who", "From", "What", "Commit", "Release", "Hosts", "Ended"):
        table.add_column(name, overflow="fold")
    for each in runs:
        words = [each.at.removesuffix("+00:00"), each.who, ", ".join(sorted(set(each.hosts.values()))), _what(each)]
        hosts = ", ".join(each.hosts) if len(each.hosts) <= 4 else f"{len(each.hosts)} hosts"
        table.add_row(*(word or "-" for word in (*words, each.commit, each.release, hosts, each.ending)))
    Terminal().print(table)


def _what(each: Audit) -> str:
    return " ".join([each.command, each.inventory, *(f"--limit {pattern}" for pattern in each.limit)])
