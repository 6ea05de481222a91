"""Putting holds on hosts, taking them back, and stopping a person's deploy at them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import gevent
from pyinfra.api.host import Host

from slipway.engine import audit
from slipway.engine.in_the_way import InTheWay, InTheWayFact, write_holds
from slipway.engine.prepare import PrepareFailed
from slipway.engine.run import Run
from slipway.holds import Hold
from slipway.problems import BadInput, Problem, named
from slipway.remote import Remote, RemoteFailed


class Held(BadInput):
    """Somebody holds what a run is about to touch. Nothing was touched."""


def read_holds(hosts: Iterable[Host]) -> dict[str, InTheWay]:
    """What people hold on these hosts, all asked at once. Raises PrepareFailed: could not tell is never no."""
    jobs = {host.name: gevent.spawn(_ask, host) for host in hosts}
    gevent.joinall(list(jobs.values()), raise_error=True)
    errors = [job.value for job in jobs.values() if isinstance(job.value, str)]
    if errors:
        raise PrepareFailed("\n".join(["could not tell what is held, nothing was changed anywhere:", *errors]))
    return {name: job.value for name, job in jobs.items()}


def _ask(host: Host) -> InTheWay | str:
    try:
        return Remote(host).fact(InTheWayFact)
    except RemoteFailed as error:
        return str(error)


def stop_at_holds(run: Run) -> None:
    """Raises Held with every hold that stands on a host of the run, and with what to do."""
    found = read_holds(run.state.inventory.get_active_hosts())
    standing = together({name: each.standing() for name, each in found.items()})
    inventory = run.fleet.inventory
    hint = (
        f"slipway unhold {inventory} ID takes it back; slipway deploy {inventory} --despite-holds goes on all the same"
    )
    problems = [
        Problem(named(list(hosts)), f"held: {hold.told} (hold {hold.id})", hint) for hold, hosts in standing.values()
    ]
    if problems:
        raise Held(problems)


def together(found: Mapping[str, Iterable[Hold]]) -> dict[str, tuple[Hold, tuple[str, ...]]]:
    """Id to the hold and the hosts that it stands on."""
    by_id: dict[str, tuple[Hold, tuple[str, ...]]] = {}
    for name, holds in found.items():
        for each in holds:
            by_id[each.id] = (each, (*by_id.get(each.id, (each, ()))[1], name))
    return by_id


def change_holds(
    hosts: Iterable[Host], change: Callable[[list[Hold]], list[Hold]], said: audit.Entry, how: str
) -> dict[str, str]:
    """Each of these hosts keeps what `change` makes of its standing holds, and has it in its audit.

    What has ended is dropped. Returns host name to why it could not be done there; the others have it.
    """
    jobs = {host.name: gevent.spawn(_change, host, change, said, how) for host in hosts}
    gevent.joinall(list(jobs.values()), raise_error=True)
    return {name: job.value for name, job in jobs.items() if job.value}


def _change(host: Host, change: Callable[[list[Hold]], list[Hold]], said: audit.Entry, how: str) -> str:
    remote = Remote(host)
    remote.forget()
    try:
        found = remote.fact(InTheWayFact)
        wanted = change(found.standing())
        if wanted != list(found.holds):
            audit.note([remote], said, how)
            write_holds(remote, found, wanted)
    except RemoteFailed as error:
        return str(error)
    return ""
