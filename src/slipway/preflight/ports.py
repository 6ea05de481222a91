"""Ports: free, or taken by what is brought; else by whom."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from itertools import combinations

from slipway.facts.preflight import Listener, Published
from slipway.needs import Port
from slipway.preflight.findings import Finding
from slipway.preflight.subject import Subject

ANY_V4, ANY_V6, ANY = "0.0.0.0", "::", "*"  # noqa: S104 - read, not listened on


def ports(host: Subject) -> Iterator[Finding]:
    """Every port that a role wants and somebody else has, or two roles want."""
    wanted = host.needs.ports
    if wanted and not host.facts.has_ss:
        yield host.warning("port", "open ports could not be looked at: there is no `ss`", "apt-get install iproute2")
        return
    found = [*_strangers(host), *_rivals(host)]
    yield from found
    if wanted and not found:
        yield host.fine("port", f"{len(wanted)} free or ours")


def _strangers(host: Subject) -> Iterator[Finding]:
    for port in host.needs.ports:
        holders = [_told(each) for each in host.facts.listeners if _is_taken(port, each)]
        containers = [_told(each) for each in host.facts.published if _is_taken(port, each)]
        # Of a published port Docker's proxy is seen as well; the container is who it is.
        for who in dict.fromkeys(containers or holders):
            what = f"{port.what} needs {_place(port)}, taken by {who}"
            yield host.error("port", what, f"stop it there, or give {port.what} another port")


def _is_taken(wanted: Port, found: Listener | Published) -> bool:
    if found.protocol != wanted.protocol or found.port != wanted.port or not overlap(wanted.address, found.address):
        return False
    if isinstance(found, Published):
        return not wanted.stack or found.stack != wanted.stack
    is_docker = found.by.unit == "docker.service" and wanted.stack
    return not is_docker and not any(fnmatchcase(found.by.unit, unit) for unit in wanted.units)


def overlap(one: str, other: str) -> bool:
    """Whether two addresses to listen on get in each other's way."""
    if ANY in (one, other) or one == other:
        return True
    return any(a == (ANY_V6 if ":" in b else ANY_V4) for a, b in ((one, other), (other, one)))


def _told(found: Listener | Published) -> str:
    return str(found.by) if isinstance(found, Listener) else f"the container {found.container}"


def _place(port: Port) -> str:
    address = f"[{port.address}]" if ":" in port.address else port.address
    return f"{address}:{port.port}" + ("/udp" if port.protocol == "udp" else "")


def _rivals(host: Subject) -> Iterator[Finding]:
    for one, other in combinations(host.needs.ports, 2):
        same = (one.protocol, one.port) == (other.protocol, other.port) and overlap(one.address, other.address)
        if same and one.what != other.what:
            what = f"{one.what} and {other.what} both need {_place(one)}"
            yield host.error("port", what, "give one of them another port")
