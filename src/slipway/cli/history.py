"""history, show, diff: the releases that the hosts have on record."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from slipway.cli.outcome import truthful  # first: it patches for gevent

# isort: split
import click
import gevent
from rich.console import Console
from rich.table import Table

from slipway.cli.deploy import json_option, quiet_pyinfra
from slipway.engine.run import Run
from slipway.engine.session import reached
from slipway.facts.releases import ReleaseRecords, ReleasesFact
from slipway.problems import BadInput, Problem, did_you_mean
from slipway.remote import Remote


@dataclass
class Known:
    """One release, as the hosts that keep it have it on record."""

    id: str
    record: Mapping[str, Any]
    """As the first host in inventory order has it."""
    kept_by: list[str] = field(default_factory=list)
    serves_on: list[str] = field(default_factory=list)


def _known(inventory: str) -> dict[str, Known]:
    """Every release on record, newest last. Hosts that do not answer are told on standard error."""
    quiet_pyinfra()
    with truthful(), reached(inventory) as (run, unreachable):
        records = _records(run)
    for name, why in unreachable.items():
        click.echo(f"{name}: unreachable: {why}", err=True)
    known: dict[str, Known] = {}
    for identity in _in_order(records):
        holders = [name for name, found in records.items() if identity in found.records]
        if holders:
            serves = [name for name in holders if records[name].current == identity]
            known[identity] = Known(identity, records[holders[0]].records[identity], holders, serves)
    return known


def _records(run: Run) -> dict[str, ReleaseRecords]:
    hosts = run.state.inventory.get_active_hosts()
    jobs = {host.name: gevent.spawn(Remote(host).fact, ReleasesFact) for host in hosts}
    gevent.joinall(list(jobs.values()), raise_error=True)
    return {name: job.value for name, job in jobs.items()}


def _in_order(records: Mapping[str, ReleaseRecords]) -> list[str]:
    """Ids by their last deploy, as the host that knows most of them has it; what only others know comes first."""
    most = max(records.values(), key=lambda found: len(found.order), default=ReleaseRecords())
    others = [identity for found in records.values() for identity in found.order if identity not in most.order]
    return [*dict.fromkeys(others), *most.order]


@click.command()
@click.argument("inventory")
@json_option
def history(inventory: str, as_json: bool) -> None:
    """Releases that the hosts keep, newest last: when, who, from which commit, and where each one serves."""
    known = _known(inventory)
    if as_json:
        told = [{**each.record, "kept_by": each.kept_by, "serves_on": each.serves_on} for each in known.values()]
        click.echo(json.dumps(told, indent=2))
        return
    table = Table()
    for name in ("Release", "When", "Who", "Commit", "Kept by", "Serves on"):
        table.add_column(name, overflow="fold")
    for each in known.values():
        said = each.record
        serves = f"{len(each.serves_on)} hosts" if each.serves_on else "-"
        commit = str(said.get("commit", "") or "-")
        when, who = str(said.get("when", "-")), str(said.get("who", "-"))
        table.add_row(each.id, when, who, commit, f"{len(each.kept_by)} hosts", serves)
    Console().print(table)


@click.command()
@click.argument("inventory")
@click.argument("release")
def show(inventory: str, release: str) -> None:
    """One release's record: images, services, schema, configuration, who and when."""
    each = _find(_known(inventory), release)
    click.echo(json.dumps({**each.record, "kept_by": each.kept_by, "serves_on": each.serves_on}, indent=2))


@click.command()
@click.argument("inventory")
@click.argument("old")
@click.argument("new")
def diff(inventory: str, old: str, new: str) -> None:
    """What two releases' records differ in."""
    known = _known(inventory)
    texts = [json.dumps(_find(known, name).record, indent=2, sort_keys=True).splitlines() for name in (old, new)]
    lines = list(difflib.unified_diff(texts[0], texts[1], old, new, lineterm="", n=1))
    click.echo("\n".join(lines) or "no difference")


def _find(known: Mapping[str, Known], name: str) -> Known:
    """The release of that id, or of an id that begins so where only one does."""
    found = [each for identity, each in known.items() if identity.startswith(name)]
    if len(found) == 1:
        return found[0]
    what = "no host keeps it" if not found else f"could be {', '.join(each.id for each in found)}"
    raise BadInput([Problem(f"release {name}", what, did_you_mean(name, known))])
