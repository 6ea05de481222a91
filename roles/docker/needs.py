"""What a host has to have for its Docker engine."""

from __future__ import annotations

from roles.docker.data import Docker
from roles.docker.tasks import package_names
from slipway.context import Context
from slipway.needs import Needs, Packages, Port, Room


def needs(data: Docker, ctx: Context) -> Needs:
    """The engine's packages, room for what containers write, the port of its metrics."""
    names = (*package_names(data, ctx.machine), *data.extra_packages)
    return Needs(
        ports=_metrics(data),
        rooms=(Room(data.data_root or "/var/lib/docker", 100, "what containers write", 1000),),
        # docker.io with containerd and runc takes 290 MiB on Debian 13, docker-ce about 420.
        packages=(Packages(names, "docker", 500, 2000),),
    )


def _metrics(data: Docker) -> tuple[Port, ...]:
    if not data.metrics_addr:
        return ()
    address, _, port = data.metrics_addr.rpartition(":")
    return (Port(address.strip("[]"), int(port), "docker's metrics", ("docker.service",)),)
