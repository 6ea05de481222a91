"""Where the leases are kept: a Redis that the inventory names, or the Compose file's. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from slipway.fleet import Fleet
from slipway.reconcile.settings import Leases
from slipway.release import secret_of
from slipway.secrets import Secret, Secrets

if TYPE_CHECKING:
    from slipway.compose import Stack

REDIS_PORT = 6379


@dataclass(frozen=True)
class Place:
    """One Redis, and how to log in there."""

    address: str
    port: int
    user: str = ""
    password: Secret | None = None
    database: int = 0

    def __str__(self) -> str:
        return f"{self.address}:{self.port}"


def place_of(settings: Leases, fleet: Fleet, stack: Stack | None, secrets: Secrets) -> Place | None:
    """None where there is no Redis to keep them. Raises BadInput, SecretMissing."""
    if settings.redis:
        password = secrets.get(settings.password) if settings.password else None
        address = fleet.address(settings.redis, "reconcile.leases.redis")
        return Place(address, settings.port or REDIS_PORT, settings.user, password, settings.database)
    for native in stack.native.values() if stack else ():
        if native.kind == "redis" and (members := fleet.group(native.group)):
            named = secrets.get(settings.password) if settings.password else None
            password = named or (secret_of(native.password, secrets) if native.password else None)
            port = settings.port or native.port or REDIS_PORT
            return Place(members[0].address, port, settings.user, password, settings.database)
    return None
