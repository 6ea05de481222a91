"""hold, unhold: reconcile leaves something alone for a while, because a person said so and why."""

from __future__ import annotations

import json
import secrets
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime

from slipway.cli.outcome import FAILED, truthful  # first: it patches for gevent

# isort: split
import click
from pyinfra.api.host import Host
from pyinfra.api.inventory import Inventory
from rich.table import Table

from slipway.cli.deploy import json_option, limit_option, quiet_pyinfra
from slipway.engine import audit
from slipway.engine.holding import change_holds, read_holds, together
from slipway.engine.session import looking
from slipway.holds import Hold, Scope, as_utc, until
from slipway.paths import project_root
from slipway.printable import say
from slipway.problems import BadInput, Problem, did_you_mean, named
from slipway.release import origin
from slipway.seam.hosts import select
from slipway.terminal import Terminal
from slipway.who import now, who

LONGEST_REASON = 400


@click.command()
@click.argument("inventory")
@click.argument("target", default="")
@click.option("--reason", default="", help="Why, for whoever finds it.")
@click.option("--until", "end_of_it", metavar="WHEN", default="", help="2h, 18:00, 2026-12-24, 2026-12-24T18:00.")
@click.option("--list", "is_list", is_flag=True, help="What is held, where, by whom, and until when.")
@limit_option
@json_option
def hold(
    inventory: str, target: str, reason: str, end_of_it: str, is_list: bool, limit: tuple[str, ...], as_json: bool
) -> None:
    """TARGET is left alone by `slipway reconcile` until it ends by itself; `slipway deploy` asks first.

    TARGET is a host, a role, or a file's path (or another thing as `slipway plan` names it: "container demo-api-1");
    without one, the whole inventory. A time of day is that of the machine that this is typed on.
    """
    quiet_pyinfra()
    if is_list:
        _list(inventory, as_json)
        return
    with truthful():
        ends, reason = _end(end_of_it), _reason(reason)
    with truthful(), looking(inventory) as (state, unreachable):
        scope, subject, names = _meant(target, state.inventory, limit)
        new = Hold(secrets.token_hex(4), scope, subject, reason, who(), now(), as_utc(ends))
        hosts = [host for host in state.inventory if host.name in names and host.connected]
        said = _entry("hold", inventory, limit, hosts)
        errors = change_holds(hosts, lambda held: [*held, new], said, f"{new.id}: {scope} {subject}".strip())
        errors |= {name: f"unreachable: {unreachable[name]}" for name in names if name in unreachable}
    held = [name for name in names if name not in errors]
    if held:
        local = ends.astimezone().strftime("%Y-%m-%d %H:%M %Z")
        say(f"{named(held)}: held: {new.told} ({local}). slipway unhold {inventory} {new.id} takes it back")
    _end_with(errors, "not held")


@click.command()
@click.argument("inventory")
@click.argument("target", default="")
@click.option("--all", "is_all", is_flag=True, help="Every hold of the inventory.")
def unhold(inventory: str, target: str, is_all: bool) -> None:
    """Take a hold back before it ends by itself: by its id, or all that are on a host, a role or a file."""
    quiet_pyinfra()
    with truthful(), looking(inventory) as (state, unreachable):
        hosts = [host for host in state.inventory if host.connected]
        found = together({name: each.standing() for name, each in read_holds(hosts).items()})
        ids = {each.id for each, names in found.values() if is_all or _is_meant(each, names, target)}
        if not ids:
            known = [word for each, _ in found.values() for word in (each.id, each.subject) if word]
            hint = did_you_mean(target, known) if known else "nothing is held"
            raise BadInput([Problem(f"hold {target}".strip(), "there is none of that name", hint)])
        mine = [host for host in hosts if any(host.name in found[each][1] for each in ids)]
        said = _entry("unhold", inventory, (), mine)
        errors = change_holds(mine, lambda held: [each for each in held if each.id not in ids], said, ", ".join(ids))
    for name, why in unreachable.items():
        say(f"{name}: unreachable, what it holds stays: {why}", err=True)
    for each in sorted(ids):
        say(f"{named([name for name in found[each][1] if name not in errors])}: held no longer: {found[each][0].told}")
    _end_with(errors, "still held")


def _is_meant(hold: Hold, hosts: Sequence[str], target: str) -> bool:
    """Whether it is the hold of that id, about that thing, or one on that host as a whole."""
    return bool(target) and (target in (hold.id, hold.subject) or (hold.scope == "host" and target in hosts))


def _list(inventory: str, as_json: bool) -> None:
    with truthful(), looking(inventory) as (state, unreachable):
        hosts = [host for host in state.inventory if host.connected]
        found = together({name: each.standing() for name, each in read_holds(hosts).items()})
    for name, why in unreachable.items():
        say(f"{name}: unreachable: {why}", err=True)
    if as_json:
        told = [{**asdict(each), "hosts": list(names)} for each, names in found.values()]
        click.echo(json.dumps(told, indent=2))
        return
    table = Table()
    for title in ("Id", "What", "Hosts", "Until", "Since", "Who", "Why"):
        table.add_column(title, overflow="fold")
    for each, names in found.values():
        what = f"{each.scope} {each.subject}".strip()
        table.add_row(each.id, what, named(list(names)), each.until, each.since, each.who, each.reason)
    Terminal().print(table) if found else say("nothing is held")


def _end(text: str) -> datetime:
    """Raises BadInput where it is none."""
    hint = "--until 2h, --until 18:00, --until 2026-12-24"
    if not text:
        raise BadInput([Problem("--until", "is missing: a hold ends by itself", hint)])
    try:
        return until(text, datetime.now(UTC).astimezone())
    except ValueError as error:
        raise BadInput([Problem(f"--until {text}", str(error), hint)]) from error


def _reason(text: str) -> str:
    if not text.strip() or len(text) > LONGEST_REASON or not text.isprintable():
        what = "is missing" if not text.strip() else f"is not one line of at most {LONGEST_REASON} characters"
        raise BadInput([Problem("--reason", what, 'say why, for whoever finds it: --reason "..."')])
    return text.strip()


def _meant(target: str, inventory: Inventory, limit: Sequence[str]) -> tuple[Scope, str, list[str]]:
    """What is meant, and the hosts that it is on. Raises BadInput with the nearest names."""
    chosen = [host.name for host in (select(inventory, limit) if limit else inventory)]
    if not target:
        return "host", "", chosen
    if target.startswith("/") or " " in target:
        return "file", target, chosen
    roles = sorted(path.parent.name for path in (project_root() / "roles").glob("*/__init__.py"))
    if target in roles:
        return "role", target, chosen
    hosts = [host.name for host in inventory]
    if target in hosts:
        return "host", "", [target]
    hint = f"{did_you_mean(target, [*hosts, *roles])}; a file begins with /"
    raise BadInput([Problem(target, "is no host and no role", hint)])


def _entry(command: str, inventory: str, limit: Sequence[str], hosts: Sequence[Host]) -> audit.Entry:
    names = tuple(host.name for host in hosts)[: audit.MOST_NAMED]
    return audit.Entry(command, inventory, tuple(limit), names, origin(project_root()).commit, "", who(), now())


def _end_with(errors: dict[str, str], what: str) -> None:
    for name, why in errors.items():
        say(f"{name}: {what}: {why}", err=True)
    if errors:
        sys.exit(FAILED)
