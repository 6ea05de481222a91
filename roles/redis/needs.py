"""What a host has to have for its Redis."""

from __future__ import annotations

import re

from roles.redis.data import Redis
from roles.redis.tasks import PACKAGES
from slipway.context import Context
from slipway.needs import Memory, Needs, Packages, Port, Reach, Room

UNITS = ("redis-server.service", "redis.service")
BYTES = {"": 1, "k": 1000, "kb": 1 << 10, "m": 10**6, "mb": 1 << 20, "g": 10**9, "gb": 1 << 30, "b": 1}
"""As redis.conf counts: `1k` is 1000, `1kb` is 1024."""


def needs(data: Redis, ctx: Context) -> Needs:
    """Its port, its packages, room for what it saves, the memory its data may take, and its primary."""
    taken = memory_mib(data, ctx)
    return Needs(
        ports=tuple(
            Port(address, data.port, "Redis", UNITS) for address in data.bind or [ctx.host.address, "127.0.0.1"]
        ),
        rooms=(Room(data.dir, 100, "what Redis saves", 100),),
        packages=(Packages(tuple(PACKAGES), "Redis", 30, 200),),
        memory=(Memory(taken, "Redis"),) if taken else (),
        reaches=_primary(data, ctx),
    )


def memory_mib(data: Redis, ctx: Context) -> int:
    """What its data may take; 0 where there is no limit."""
    found = re.fullmatch(r"(\d+)([a-z]*|%)", data.maxmemory.lower())
    if found is None:
        return 0
    number, unit = int(found[1]), found[2]
    return ctx.machine.memory_mb * number // 100 if unit == "%" else number * BYTES[unit] >> 20


def _primary(data: Redis, ctx: Context) -> tuple[Reach, ...]:
    if data.replicaof is None:
        return ()
    member = next((each for each in ctx.fleet if data.replicaof in (each.name, each.address)), None)
    at = member.address if member else data.replicaof
    return (Reach(at, data.replicaof_port, f"Redis on {data.replicaof}", member.name if member else ""),)
