"""The lab's hosts, as data: add a line here and it exists."""

from __future__ import annotations

from typing import NamedTuple

from slipway.problems import BadInput, Problem, did_you_mean


class LabHost(NamedTuple):
    """One container host."""

    name: str
    debian: int
    """Major release: 12 or 13."""
    groups: tuple[str, ...]
    """Inventory groups it belongs to."""
    octet: int
    """Last part of its address; the first three are the lab's."""


HOSTS = (
    LabHost("edge1", debian=13, groups=("nginx",), octet=11),
    LabHost("edge2", debian=12, groups=("nginx",), octet=12),
    LabHost("worker1", debian=13, groups=("workers",), octet=21),
    LabHost("worker2", debian=12, groups=("workers",), octet=22),
    LabHost("worker3", debian=13, groups=("workers",), octet=23),
    LabHost("db1", debian=13, groups=("postgres",), octet=31),
    LabHost("cache1", debian=13, groups=("redis",), octet=41),
)
"""In the order of the inventory, which is the order of every rollout."""

ON_DEMAND = (LabHost("ops1", debian=12, groups=("reconcilers",), octet=51),)
"""Hosts that are brought up only where they are asked for: the fleet is whole without them."""

EVERY = (*HOSTS, *ON_DEMAND)

RELEASES = {12: "bookworm", 13: "trixie"}
"""Debian's major releases that hosts run, with the suite each is installed from."""


def hosts_named(names: tuple[str, ...] | list[str]) -> tuple[LabHost, ...]:
    """The hosts of these names in the lab's own order; for none, all that are not on demand.

    Raises BadInput for unknown names.
    """
    known = {host.name: host for host in EVERY}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise BadInput(Problem("lab", f"no host is called {name!r}", did_you_mean(name, known)) for name in unknown)
    return tuple(host for host in EVERY if host.name in names) if names else HOSTS


def hosts_of(group: str) -> tuple[LabHost, ...]:
    """The hosts of an inventory group. Raises BadInput where no host belongs to it."""
    found = tuple(host for host in EVERY if group in host.groups)
    if not found:
        groups = {name for host in EVERY for name in host.groups}
        raise BadInput([Problem("lab", f"no host is in group {group!r}", did_you_mean(group, groups))])
    return found
