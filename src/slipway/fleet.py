"""The fleet: which hosts there are, in which groups, at which private address. Data only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from slipway.addresses import address_of
from slipway.problems import BadInput, Problem, did_you_mean


@dataclass(frozen=True)
class Member:
    """One host, as the inventory has it."""

    name: str
    address: str
    """Its private address: what services bind to and what other hosts reach it by."""
    groups: tuple[str, ...]
    login: str = ""
    """Who we log in as; empty where the inventory leaves that to ssh_config."""
    ssh_port: int = 0
    """The port we log in at; 0 where the inventory leaves that to ssh_config."""


@dataclass(frozen=True)
class Fleet:
    """Every host of one inventory, in the order in which it is written."""

    inventory: str
    members: tuple[Member, ...]

    def __iter__(self) -> Iterator[Member]:
        return iter(self.members)

    def group(self, name: str) -> tuple[Member, ...]:
        """The hosts of a group, in inventory order; empty where nobody is in it."""
        return tuple(member for member in self.members if name in member.groups)

    def member(self, name: str) -> Member:
        """The host of that name. Raises KeyError where there is none."""
        for member in self.members:
            if member.name == name:
                return member
        raise KeyError(name)

    def address(self, name: str, where: str) -> str:
        """Private address of the host of that name, or the address that it is.

        Raises BadInput, as of the data at `where`, for what is neither.
        """
        known = {member.name: member.address for member in self.members}
        if name in known:
            return known[name]
        try:
            return address_of(name)
        except ValueError as error:
            what = f"no member of the fleet, and no address: {error}"
            raise BadInput([Problem(where, what, did_you_mean(name, known))]) from None

    @property
    def groups(self) -> frozenset[str]:
        return frozenset(group for member in self.members for group in member.groups)


@dataclass(frozen=True)
class Machine:
    """What a host is made of: facts that decide sizes and package names."""

    distribution: str
    """`ID` of os-release: debian, ubuntu."""
    version: str
    """`VERSION_ID` of os-release: 12, 13, 24.04."""
    codename: str
    architecture: str
    """As dpkg says it: amd64, arm64."""
    cpus: int
    memory_mb: int
    """Memory that the host may use, in MiB: the smaller of what the kernel and its control group say."""


NOMINAL = Machine("debian", "13", "trixie", "amd64", cpus=2, memory_mb=2048)
"""Stands in for a host before the first connection, so that every template can be rendered."""
