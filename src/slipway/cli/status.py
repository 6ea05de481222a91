"""status: what runs where."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

from slipway.cli.outcome import FAILED, truthful  # first: it patches for gevent

# isort: split
import click
import gevent
from pyinfra.api.host import Host
from rich.table import Table
from rich.text import Text

from slipway.cli.deploy import json_option, limit_option, quiet_pyinfra
from slipway.engine.in_the_way import InTheWayFact
from slipway.engine.run import Run
from slipway.engine.session import reached
from slipway.facts.files import script
from slipway.remote import Remote, RemoteFailed
from slipway.role import Role, Service
from slipway.terminal import Terminal

Row = tuple[str, str, Service]

_UNITS = """\
for unit in "$@"; do
  echo "$unit|$(systemctl show --property=ActiveState,SubState --value -- "$unit" | tr '\\n' ' ')"
done
"""


@click.command()
@click.argument("inventory")
@limit_option
@json_option
def status(inventory: str, limit: tuple[str, ...], as_json: bool) -> None:
    """What runs where: host, role, service, release, health. Exit 1 where something is not well."""
    quiet_pyinfra()
    with truthful(), reached(inventory, limit) as (run, unreachable):
        rows = _rows(run)
    rows += [(name, "-", Service("-", f"unreachable: {why}", False)) for name, why in unreachable.items()]
    click.echo(json.dumps([_as_json(row) for row in rows], indent=2)) if as_json else _show(rows)
    sys.exit(0 if all(service.is_well for *_, service in rows) else FAILED)


def _as_json(row: Row) -> dict[str, object]:
    host, role, service = row
    return {"host": host, "role": role, **asdict(service)}


def _show(rows: list[Row]) -> None:
    table = Table()
    for name in ("Host", "Role", "Service", "Release", "Health"):
        table.add_column(name)
    for host, role, service in rows:
        style = "green" if service.is_well else "bold red"
        table.add_row(host, role, service.name, service.release, Text(service.state, style=style))
    Terminal().print(table)


def _rows(run: Run) -> list[Row]:
    jobs = {host: gevent.spawn(_host_rows, run, host) for host in run.state.inventory.get_active_hosts()}
    gevent.joinall(list(jobs.values()), raise_error=True)
    return [row for job in jobs.values() for row in job.value]


def _host_rows(run: Run, host: Host) -> list[Row]:
    remote = Remote(host)
    return _held(remote) + [
        (host.name, role.name, service)
        for role, data in run.applied.get(host.name, [])
        for service in _services(remote, run, host, role, data)
    ]


def _held(remote: Remote) -> list[Row]:
    """What people hold there: nothing is wrong with it, but whoever looks is to know."""
    try:
        found = remote.fact(InTheWayFact).standing()
    except RemoteFailed as error:
        return [(remote.name, "-", Service("holds", f"could not tell: {error}", False))]
    return [(remote.name, "-", Service(f"hold {each.id}", f"held: {each.told}", True)) for each in found]


def _services(remote: Remote, run: Run, host: Host, role: Role, data: object) -> list[Service]:
    ctx = run.context(host)
    try:
        found = _unit_services(remote, list(role.units(data, ctx)))
        return found + list(role.status(remote, data, ctx) if role.status else ())
    except RemoteFailed as error:
        return [Service("-", f"could not tell: {error}", False)]


def _unit_services(remote: Remote, units: list[str]) -> list[Service]:
    if not units:
        return []
    said = [line.partition("|") for line in remote.run(script(_UNITS, *units))]
    return [Service(unit, " ".join(state.split()), state.startswith("active")) for unit, _, state in said]
