"""Ports of a host for services that the edge reaches.

Each such service owns ten ports: base to base + 4 for its replicas on one host, base + 5 to base + 9 for their
successors while both run. So at most five replicas of a service run on one host.
"""

from __future__ import annotations

import hashlib

from slipway.compose.model import Service

PORTS_OF_A_SERVICE = 10
REPLICAS_ON_A_HOST = 5
_FIRST, _SLOTS = 20000, 1000  # 20000 to 29999: below the ports Linux hands out by itself (32768 on)


SLOTS = 2
"""A replica and its successor stand beside each other for a while: each has a port of its own."""


def host_port(service: Service, replica_index: int, slot: int = 0) -> int:
    """Port of the host for one replica, counted from 0 on each host, in one of its two slots.

    Raises ValueError for a service without an edge and for a sixth replica on one host.
    """
    if service.x.edge is None:
        raise ValueError(f"{service.name} has no edge, so it has no port of its own on the host")
    if not 0 <= replica_index < REPLICAS_ON_A_HOST:
        raise ValueError(
            f"{service.name}: a host runs at most {REPLICAS_ON_A_HOST} replicas, not replica {replica_index}"
        )
    return base_port(service) + replica_index + slot * REPLICAS_ON_A_HOST


def base_port(service: Service) -> int:
    """First of the ten: x-slipway.published_base, the published port of the edge's port, or derived from the names."""
    if service.x.published_base is not None:
        return service.x.published_base
    edge = service.x.edge
    published = (
        port.published for port in service.ports if edge and port.target == edge.port and port.protocol == "tcp"
    )
    return next((port for port in published if port), derived_base(service.stack, service.name))


def derived_base(stack: str, name: str) -> int:
    """A multiple of ten in 20000 to 29990 that depends on nothing but the two names."""
    digest = hashlib.sha256(f"{stack}/{name}".encode()).digest()
    return _FIRST + PORTS_OF_A_SERVICE * (int.from_bytes(digest[:8], "big") % _SLOTS)
