"""What a role may know of where it stands: the host, the fleet, the application, the release, secrets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from slipway.fleet import NOMINAL, Fleet, Machine, Member
from slipway.reconcile.settings import Reconcile

if TYPE_CHECKING:
    from slipway.compose import Stack
    from slipway.recorded import Entry
    from slipway.release import Release
    from slipway.rollout import Canary
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
    is_rollback: bool = False
    """Whether the run goes back to a release that served before."""
    canary: Canary | None = None
    """The share of sessions that the release gets while the one before it stands beside; None brings it whole."""
    entry: Entry | None = None
    """What the run leaves on record; None before every host's data is known."""
    kept_secrets: Mapping[str, str] = field(default_factory=dict)
    """Of a release on record: key in its Compose file to the fingerprint of the value that its containers have."""

    reconcile: Reconcile = field(default_factory=Reconcile)
    """What the inventory says of its reconciles."""

    def secret(self, name: str) -> Secret:
        """The secret of that name. Raises SecretMissing, which validation tells with all other problems."""
        return self.secrets.get(name)
