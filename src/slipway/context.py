"""What a role may know of where it stands: the host, the fleet, the application, the release, secrets."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from slipway.fleet import NOMINAL, Fleet, Machine, Member

if TYPE_CHECKING:
    from slipway.compose import Stack
    from slipway.release import Release
    from slipway.secrets import Secret, Secrets


@dataclass(frozen=True)
class Context:
    """Handed to `derive`, `tasks` and `verify`. Holds no connection: tasks are pure."""

    host: Member
    fleet: Fleet
    secrets: Secrets
    stack: Stack | None = None
    """The application of this inventory; None where it deploys only services."""
    release: Release | None = None
    """The release that this run is to bring; None without an application."""
    machine: Machine = field(default=NOMINAL)
    """The host's own figures; nominal ones before the first connection."""

    def secret(self, name: str) -> Secret:
        """The secret of that name. Raises SecretMissing, which validation tells with all other problems."""
        return self.secrets.get(name)
