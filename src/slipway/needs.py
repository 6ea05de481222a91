"""What a role needs of its host before it can be brought there. Data only: roles say it, the preflight looks it up."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from slipway.secrets import Secret

MIB = 1 << 20


@dataclass(frozen=True)
class Port:
    """A port that it listens on."""

    address: str
    port: int
    what: str
    """Who listens, as a person calls it."""
    units: tuple[str, ...] = ()
    """Systemd units that may have it already: they are what is brought."""
    stack: str = ""
    """The stack whose containers may have it already."""
    protocol: str = "tcp"


@dataclass(frozen=True)
class Room:
    """Room on a disk, beyond what lies there now."""

    path: str
    """Where; it may not exist yet. Known without having seen the host."""
    mib: int
    what: str
    inodes: int = 0


@dataclass(frozen=True)
class Packages:
    """Debian packages, and what they take where one of them is not there yet."""

    names: tuple[str, ...]
    what: str
    mib: int
    """Installed, everything that comes with them included, and with the downloaded files beside it."""
    inodes: int = 2000


@dataclass(frozen=True)
class Memory:
    """Memory that it may take at most."""

    mib: int
    what: str


@dataclass(frozen=True)
class Reach:
    """Something that the host connects to. Known without having seen the host."""

    host: str
    """Name or address."""
    port: int
    what: str
    member: str = ""
    """The member of the fleet that it is; what is not brought there yet need not answer."""


@dataclass(frozen=True)
class Image:
    """A container image that has to be on the host."""

    ref: str
    is_built: bool
    """Whether it comes from this machine and not from a registry."""


@dataclass(frozen=True)
class Certificate:
    """A certificate that clients will be shown."""

    where: str
    """Its file, as the one who put it there calls it."""
    names: tuple[str, ...]
    """Names that it has to be for; `*.example.com` takes every name under it."""
    chain: str = ""
    """PEM, its own certificate first; empty where it lies on the host, at `where`."""
    key: Secret | None = None
    """Its private key, where that is known here."""


@dataclass(frozen=True)
class Needs:
    """Everything that the roles of a host need of it."""

    ports: tuple[Port, ...] = ()
    rooms: tuple[Room, ...] = ()
    packages: tuple[Packages, ...] = ()
    memory: tuple[Memory, ...] = ()
    reaches: tuple[Reach, ...] = ()
    images: tuple[Image, ...] = ()
    certificates: tuple[Certificate, ...] = ()


def together(all_needs: Iterable[Needs]) -> Needs:
    """What several roles need of one host; what two of them say alike is said once."""
    listed = list(all_needs)
    return Needs(
        **{each.name: tuple(dict.fromkeys(one for needs in listed for one in getattr(needs, each.name)))
           for each in fields(Needs)}
    )  # fmt: skip
