"""Versions of one secret while it is rotated: entries of the source that begin with its name. Pure.

A rotation is at each moment what the source says, so that anybody finishes what another has begun:

    NAME                        everywhere                                  STEADY
    NAME, NAME.next             servers take both, NAME is handed out       ACCEPTING
    NAME, NAME.previous         servers take both, NAME is the new one      MOVED
    NAME, NAME.revoked          the old one is gone from here, a deploy     REVOKING
                                takes it from the servers

`NAME.moved` says since when the new one is handed out. `NAME.login` says which of two logins NAME belongs to, for
servers that know one password for each; it stays.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

from slipway.secrets.value import Secret

NEXT, PREVIOUS, MOVED, LOGIN, REVOKED = "next", "previous", "moved", "login", "revoked"
KINDS = (NEXT, PREVIOUS, MOVED, LOGIN, REVOKED)
DELIVERED = (NEXT, PREVIOUS)
"""Versions that a Compose file may name, for applications that take two values at a time."""


class Phase(StrEnum):
    """How far a rotation is."""

    STEADY = "steady"
    ACCEPTING = "accepting both"
    MOVED = "moved to the new one"
    REVOKING = "revoking the old one"


@dataclass(frozen=True)
class Versions:
    """What the source holds of one secret besides its present value."""

    login: str = ""
    """Login that the present value belongs to, where a rotation has settled that; else it is the server's own."""
    next: Secret | None = None
    previous: Secret | None = None
    moved: str = ""
    """When the present value became the one that is handed out: Unix time in seconds."""

    @property
    def other(self) -> Secret | None:
        """The value that is accepted besides the present one."""
        return self.next or self.previous

    @property
    def other_kind(self) -> str:
        return NEXT if self.next else PREVIOUS if self.previous else ""


def entry(name: str, kind: str) -> str:
    """Name of a reserved entry."""
    return f"{name}.{kind}"


def split(name: str) -> tuple[str, str]:
    """The secret's own name, and which entry of it this is; empty for the secret itself."""
    own, dot, kind = name.rpartition(".")
    return (own, kind) if dot and own and kind in KINDS else (name, "")


def is_reserved(name: str) -> bool:
    """Whether the name belongs to a rotation, and not to a secret of its own."""
    return bool(split(name)[1])


def phase_of(name: str, entries: Collection[str]) -> Phase:
    """How far the rotation of that secret is. Raises ValueError where the entries contradict each other."""
    found = {kind for kind in (NEXT, PREVIOUS, REVOKED) if entry(name, kind) in entries}
    if len(found) > 1:
        told = " and ".join(entry(name, kind) for kind in sorted(found))
        raise ValueError(f"{told} do not go together")
    phases = {NEXT: Phase.ACCEPTING, PREVIOUS: Phase.MOVED, REVOKED: Phase.REVOKING}
    return phases[found.pop()] if found else Phase.STEADY


Edit = Mapping[str, str | None]
"""Entries to write, by name; None takes one out."""


def accepting(name: str, value: str) -> Edit:
    """Servers are to take the new value as well."""
    return {entry(name, NEXT): value}


def moved(name: str, present: str, new: str, now: float, login: str = "") -> Edit:
    """The new value is to be handed out, the present one is still taken. `login` is whose password the new one is."""
    return {
        name: new,
        entry(name, PREVIOUS): present,
        entry(name, MOVED): f"{now:.0f}",
        entry(name, NEXT): None,
        **({entry(name, LOGIN): login} if login else {}),
    }


def revoking(name: str) -> Edit:
    """The old value is to be taken no longer."""
    return {entry(name, PREVIOUS): None, entry(name, MOVED): None, entry(name, REVOKED): "a deploy is owed"}


def replaced(name: str, value: str) -> Edit:
    """The new value in the place of the present one, without a time in which both are taken."""
    return {name: value, entry(name, NEXT): None, entry(name, REVOKED): "a deploy is owed"}


def finished(name: str) -> Edit:
    """Nothing is owed any more."""
    return {entry(name, REVOKED): None}


def login_variable(name: str) -> str:
    """The variable of a Compose file that says which login a password belongs to."""
    return f"SLIPWAY_LOGIN_{re.sub('[^A-Za-z0-9_]', '_', name)}"


ALTERNATE = "__b"
"""Ends the name of the second login of a pair."""


def other_login(own: str, present: str) -> str:
    """The login of the pair that is not the present one."""
    return own if present == f"{own}{ALTERNATE}" else f"{own}{ALTERNATE}"
