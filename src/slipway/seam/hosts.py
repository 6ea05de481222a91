"""Hosts: selecting and connecting to them, all told at once."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatch

import gevent
from pyinfra.api import State
from pyinfra.api.host import Host
from pyinfra.api.inventory import Inventory
from pyinfra.connectors.ssh import SSHConnector

from slipway.problems import BadInput, Problem, did_you_mean
from slipway.seam.connection import Connection
from slipway.seam.errors import HostUnreachable


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


def forget_answers(hosts: Iterable[Host]) -> None:
    """What these hosts have is asked for anew."""
    for host in hosts:
        if isinstance(host.connector, Connection):
            host.connector.forget()


def _connect(host: Host, errors: dict[str, str]) -> None:
    try:
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
