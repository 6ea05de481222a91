"""history, show, diff: the releases that the hosts have on record."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from typing import Any

from slipway.cli.outcome import truthful  # first: it patches for gevent

# isort: split
import click
from rich.table import Table

from slipway.cli.deploy import json_option, quiet_pyinfra
from slipway.engine.preconditions import read_records
from slipway.engine.session import looking
from slipway.history import History, Known
from slipway.history import history as history_of
from slipway.ops.files import content_hash
from slipway.printable import say
from slipway.recorded import unpacked
from slipway.schema_guard import schema_in
from slipway.terminal import Terminal


def _history(inventory: str) -> History:
    """Every release on record. Hosts that do not answer are told on standard error."""
    quiet_pyinfra()
    with truthful(), looking(inventory) as (state, unreachable):
        found = history_of(read_records(state.inventory))
    for name, why in unreachable.items():
        say(f"{name}: unreachable: {why}", err=True)
    return found


@click.command()
@click.argument("inventory")
@json_option
def history(inventory: str, as_json: bool) -> None:
    """Releases that the hosts keep, newest last: when, who, from which commit, and where each one serves.

    An entry is a release and the configuration that it ran with: RELEASE-CONFIGURATION. Where a release's id is asked
    for, any beginning of an entry will do.
    """
    known = list(_history(inventory).known.values())
    if as_json:
        click.echo(json.dumps([_summary(each) for each in known], indent=2))
        return
    table = Table()
    for name in ("Release", "When", "Who", "Commit", "Schema", "Kept by", "Serves on"):
        table.add_column(name, overflow="fold")
    for each in known:
        said = _summary(each)
        words = [str(said[name] or "-") for name in ("id", "when", "who", "commit", "revision")]
        serves = f"{len(each.serves_on)} hosts" if each.serves_on else "-" if each.has_served else "never"
        table.add_row(*words, f"{len(each.kept_by)} hosts", serves)
    Terminal().print(table)


def _summary(each: Known) -> dict[str, Any]:
    said, schema = each.record, schema_in(each.record)
    return {
        "id": each.id,
        "release": each.release,
        "configuration": said.get("configuration", ""),
        "when": said.get("when") or said.get("staged", ""),
        "who": said.get("who", ""),
        "commit": said.get("commit", ""),
        "images": sorted({ref for record in each.hosts.values() for ref in record.get("images", ())}),
        "schema": said.get("schema", ""),
        "revision": schema.revision if schema else "",
        "kept_by": list(each.kept_by),
        "serves_on": list(each.serves_on),
        "has_served": each.has_served,
    }


@click.command()
@click.argument("inventory")
@click.argument("release")
def show(inventory: str, release: str) -> None:
    """One release's record: images, services, schema, every role's data on every host, who and when."""
    each = _found(inventory, release)[0]
    told = _in_full(each)
    told["templates"] = {name: content_hash(text) for name, text in told.get("templates", {}).items()}
    click.echo(json.dumps({**_summary(each), **told}, indent=2))


@click.command()
@click.argument("inventory")
@click.argument("old")
@click.argument("new")
def diff(inventory: str, old: str, new: str) -> None:
    """What two releases differ in: the application, roles' data, templates line by line."""
    before, after = _found(inventory, old, new)
    lines = list(difflib.unified_diff(_lines(before), _lines(after), before.id, after.id, lineterm="", n=1))
    say("\n".join(lines) or "no difference")


def _found(inventory: str, *names: str) -> list[Known]:
    known = _history(inventory)
    return [known.find(name) for name in names]


def _in_full(each: Known) -> dict[str, Any]:
    """A release as a person reads it: what hosts have alike once, what differs by host with its hosts."""
    said = each.record
    return {
        "services": said.get("services", {}),
        "secret_versions": said.get("release", {}).get("secrets", {}),
        "application": said.get("application", {}),
        "roles": _roles(each.hosts),
        "containers": {host: record.get("containers", {}) for host, record in each.hosts.items()},
        "templates": unpacked(said["templates"]) if "templates" in said else {},
    }


def _roles(hosts: Mapping[str, Mapping[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Role to its data, once for all the hosts that have the same."""
    found: dict[str, list[dict[str, Any]]] = {}
    for host, record in hosts.items():
        for role, kept in record.get("roles", {}).items():
            same = next((each for each in found.setdefault(role, []) if each["data"] == kept["data"]), None)
            if same:
                same["hosts"].append(host)
            else:
                found[role].append({"hosts": [host], "data": kept["data"]})
    return found


def _lines(each: Known) -> list[str]:
    """What the release is, as lines to compare; templates as they are written."""
    told = _in_full(each)
    texts = {f"templates/{name}": text.splitlines() for name, text in told.pop("templates").items()}
    summary = {name: said for name, said in _summary(each).items() if name not in ("kept_by", "serves_on")}
    return json.dumps({**summary, **told, **texts}, indent=2, sort_keys=True).splitlines()
