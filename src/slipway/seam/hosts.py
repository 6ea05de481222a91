"""Hosts: selecting and connecting to them, all told at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from fnmatch import fnmatch
from pathlib import Path

import gevent
from pyinfra.api import State
from pyinfra.api.host import Host
from pyinfra.api.inventory import Inventory
from pyinfra.connectors.ssh import SSHConnector

from slipway.problems import BadInput, Problem, did_you_mean
from slipway.seam.connection import Connection
from slipway.seam.errors import HostUnreachable
from slipway.seam.jump import leave_jump_hosts
from slipway.seam.on_this_host import Here
from slipway.seam.together import Question

CONNECT_SECONDS = 45
"""From the first packet to a session: its own parts (TCP, banner, keys, user) have shorter limits, but add up."""

DISCONNECT_SECONDS = 5
"""A host that does not take part in it has nothing to say in it."""


def connect_all(state: State) -> None:
    """Connects to every host of the limit, in parallel. Raises HostUnreachable naming each that did not answer."""
    hosts = [host for host in state.inventory if state.is_host_in_limit(host)]
    errors: dict[str, str] = {}
    jobs = {host: state.pool.spawn(_connect, host, errors) for host in hosts}
    gevent.joinall(list(jobs.values()))
    for host in hosts:
        if host.connected:
            state.activate_host(host)
    if errors:
        state.failed_hosts.update(host for host in hosts if host.name in errors)
        reached = [host.name for host in hosts if host.name not in errors]
        raise HostUnreachable({host.name: errors[host.name] for host in hosts if host.name in errors}, reached)


def disconnect_all(state: State) -> None:
    """Ends every connection, also where an answer is still awaited: pyinfra's own waits until the pool has room."""
    state.pool.kill(block=False)
    jobs = [gevent.spawn(host.disconnect) for host in state.inventory if host.connected]
    gevent.joinall(jobs, timeout=DISCONNECT_SECONDS)
    leave_jump_hosts()


def forget_answers(hosts: Iterable[Host]) -> None:
    """For a look at these hosts as they are now: what they have is asked for anew, question by question."""
    for connection in _connections(hosts):
        connection.memory.forget()


def renew_answers(hosts: Iterable[Host]) -> None:
    """What these hosts have is asked for anew, and what is going to be needed of it at once."""
    for connection in _connections(hosts):
        connection.memory.renew()


def doubt_answers(hosts: Iterable[Host]) -> None:
    """What a change on one host may have made of the answers of others is asked for anew."""
    for connection in _connections(hosts):
        connection.memory.doubt()


def learn_questions(hosts: Iterable[Host], directory: Path) -> None:
    """What the last run asked of these hosts lies in this directory, and what this one asks will."""
    for connection in _connections(hosts):
        connection.learn_from(directory)


def expect_questions(hosts: Iterable[Host], foretell: Callable[[list[str]], Mapping[str, Iterable[Question]]]) -> None:
    """Of hosts that no run is known to have asked, what can be foretold is asked at once.

    + foretell: host name to what is going to be asked, for these
    """
    new = {each.host.name: each.memory.foreseen for each in _connections(hosts) if each.memory.foreseen.is_new}
    for name, questions in foretell(list(new)).items() if new else ():
        new[name].expect(questions)


def ready_to_ask(hosts: Iterable[Host]) -> None:
    """Starts on these hosts what their first questions will be put to."""
    for connection in _connections(hosts):
        connection.memory.start_for_what_comes()


def ready_to_prove(hosts: Iterable[Host]) -> None:
    """The same for what was announced."""
    for connection in _connections(hosts):
        connection.memory.start_for_announced()


def all_is_asked(hosts: Iterable[Host]) -> None:
    """Everything that there is to ask of these hosts while preparing has been asked: what was not, never will be."""
    for connection in _connections(hosts):
        connection.memory.foreseen.is_whole = True


def begun_by(host: Host, when: Callable[[], float] | None) -> None:
    """From now on, a change on this host begins by then (seconds since it started) or not at all."""
    for connection in _connections([host]):
        connection.begun_by = when


def changes_on(hosts: Iterable[Host]) -> int | None:
    """Grows whenever one of these hosts may have been changed by us; None where that is not counted."""
    listed = list(hosts)
    connections = list(_connections(listed))
    counts = sum(connection.memory.changes for connection in connections)
    return counts if len(connections) == len(listed) else None


def _connections(hosts: Iterable[Host]) -> Iterator[Connection]:
    """Another connector (@local, @docker) has no memory: it is asked each time."""
    return (host.connector for host in hosts if isinstance(host.connector, Connection))


def _connect(host: Host, errors: dict[str, str]) -> None:
    try:
        with gevent.Timeout(CONNECT_SECONDS, TimeoutError(f"no SSH session within {CONNECT_SECONDS} s")):
            host.connect(show_errors=False, raise_exceptions=True)
    except Exception as error:
        errors[host.name] = str(error) or type(error).__name__


def select(inventory: Inventory, patterns: Iterable[str], option: str = "--limit") -> list[Host]:
    """Hosts that the patterns name, in inventory order. Raises BadInput for a pattern that names none."""
    patterns = list(patterns)
    problems = [
        Problem(f"{option} {pattern}", "no host or group is called that", did_you_mean(pattern, _names(inventory)))
        for pattern in patterns
        if not any(_matches(host, pattern) for host in inventory)
    ]
    if problems:
        raise BadInput(problems)
    return [host for host in inventory if any(_matches(host, pattern) for pattern in patterns)]


def _matches(host: Host, pattern: str) -> bool:
    return pattern in host.groups or fnmatch(host.name, pattern)


def _names(inventory: Inventory) -> list[str]:
    return [host.name for host in inventory] + [group for group in inventory.groups if inventory.groups[group]]


def with_connector(inventory: Inventory, connector: type[SSHConnector]) -> Inventory:
    """The same inventory, its SSH hosts reached through this connector."""
    for host in inventory:
        if issubclass(host.connector_cls, SSHConnector):
            host.connector_cls = connector
    return inventory


def reached_from_here(inventory: Inventory, name: str) -> Inventory:
    """The same inventory, the host of that name reached without SSH: it is the one that this runs on."""
    for host in inventory:
        if host.name == name:
            host.connector_cls = Here
    return inventory
