"""What a host has to have for its PostgreSQL."""

from __future__ import annotations

from roles.postgres.data import Postgres
from roles.postgres.sizing import sized
from roles.postgres.tasks import cluster_of
from roles.postgres.versions import packages
from slipway.context import Context
from slipway.needs import Memory, Needs, Packages, Port, Room

NEW_DATA_MIB = 250
"""A new cluster with its first write-ahead log; later the least that lets it go on writing."""


def needs(data: Postgres, ctx: Context) -> Needs:
    """Its port, packages, room to write, its shared memory. Raises BadInput where the host has no such version."""
    cluster = cluster_of(data, ctx)
    unit = f"postgresql@{cluster.version}-{data.cluster}.service"
    addresses = data.listen if data.listen is not None else [ctx.host.address, "localhost"]
    numbers = dict.fromkeys("127.0.0.1" if address == "localhost" else address for address in addresses)
    return Needs(
        ports=tuple(Port(address, data.port, "PostgreSQL", (unit,)) for address in numbers),
        rooms=(Room(data.data_directory or "/var/lib/postgresql", NEW_DATA_MIB, "the database", 2000),),
        packages=(Packages(tuple(packages(data, ctx, cluster.version)), "PostgreSQL", 350, 4000),),
        memory=(Memory(_shared_mib(data, ctx), "PostgreSQL"),),
    )


def _shared_mib(data: Postgres, ctx: Context) -> int:
    """What it takes at once and keeps; the rest of its sizes is taken as it is needed."""
    told = sized(ctx.machine.memory_mb * data.memory_percent // 100, ctx.machine.cpus, None, data.storage)
    return int(str(told["shared_buffers"]).removesuffix("MB"))
