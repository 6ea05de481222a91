"""What an inventory says of its reconciles: `reconcile = {...}` in group_data, the same for all of its hosts."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import Annotated

from pydantic import AfterValidator, Field, field_validator, model_validator

from slipway.role import RoleData

Reason = Annotated[str, Field(min_length=1, max_length=400)]


class Noise(RoleData):
    """A difference that is known and raises nothing. Patterns as a shell's: `*` and `?`."""

    host: str = "*"
    """Hosts on which it is known."""
    role: str = "*"
    """Roles that it belongs to."""
    subject: str = "*"
    """The thing, as `slipway plan` names it: a path, a unit, a container."""
    reason: Reason
    """Why it may differ, for whoever asks later."""

    @model_validator(mode="after")
    def _says_what(self) -> Noise:
        if {self.host, self.role, self.subject} == {"*"}:
            raise ValueError("would call everything noise: name a host, a role or a subject")
        return self

    def covers(self, host: str, role: str, subject: str) -> bool:
        """Whether this difference is meant."""
        pairs = ((host, self.host), (role, self.role), (subject, self.subject))
        return all(fnmatchcase(said, pattern) for said, pattern in pairs)


def _is_a_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,100}", name):
        # Not shown: it may well be an address, which is a secret, written where its name belongs.
        raise ValueError("must be the name of a secret; the address stands where the secrets are")
    return name


SecretName = Annotated[str, AfterValidator(_is_a_name)]


class Leases(RoleData):
    """Where hosts that converge themselves keep the leases by which they take turns (docs/pull.md)."""

    redis: Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]*$")] = ""
    """Host of the inventory, or address, of a Redis that takes writes; the Compose file's first one where empty."""
    port: Annotated[int, Field(ge=0, le=65535)] = 0
    """Its port; the Compose file's, or 6379, where 0."""
    user: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]*$")] = ""
    """User of Redis to log in as; `default` where empty."""
    password: SecretName | None = None
    """Name of the secret that holds its password; the Compose file's where it is None."""
    database: Annotated[int, Field(ge=0, le=9999)] = 0
    """Number of the database."""
    wait: Annotated[int, Field(ge=1, le=3600)] = 300
    """Seconds that a run waits for its turn; what takes something out of service is left to the next one then."""


class Reconcile(RoleData):
    """Settings of `slipway reconcile`."""

    noise: list[Noise] = Field(default_factory=list)
    """Differences that are known: counted, and neither mended nor told as drift."""

    every: Annotated[int, Field(ge=60, le=604_800)] = 900
    """Seconds from one run of the timer to the next. The alert on silence takes its time from it."""
    metrics: str = ""
    """Directory of node_exporter's textfile collector, as `/var/lib/prometheus/node-exporter`; empty: no metrics."""
    notify: list[SecretName] = Field(default_factory=list)
    """Secrets that hold the addresses of chats and webhooks that are told when something begins or ends."""
    heartbeat: SecretName | None = None
    """The secret that holds an address that is called after every run that saw the fleet; its silence is the alarm."""
    hold_hours: Annotated[int, Field(ge=1, le=8760)] = 24
    """Hours after which a hold is told as held too long."""
    leases: Leases = Field(default_factory=Leases)
    """Where hosts that converge themselves take turns."""
    reports: str = ""
    """Where the timer's runs leave their reports and what was told; empty: `.slipway/reconcile` of the project."""
    keep: Annotated[int, Field(ge=1, le=1000)] = 50
    """Reports kept of runs that found something, and as many of runs that did not."""

    @property
    def unwatched(self) -> Reconcile:
        """The same for a run that nobody is told of."""
        return self.model_copy(update={"metrics": "", "reports": "", "notify": [], "heartbeat": None})

    @field_validator("metrics", "reports")
    @classmethod
    def _is_a_place(cls, value: str) -> str:
        if value and not value.startswith("/"):
            raise ValueError("must be an absolute path")
        return value
