"""What an operation would change, noted while it is prepared, so that a plan can show it."""

from __future__ import annotations

from dataclasses import dataclass

from pyinfra import host


@dataclass(frozen=True)
class Change:
    """One difference between a host and what is wanted."""

    subject: str
    """The thing: a path, a unit, a container, a role in a database."""
    what: str
    """What about it differs, in a few words; never a secret."""
    diff: str = ""
    """Unified diff where it is a text; empty for a secret."""
    is_owed: bool = False
    """Whether nobody changed the host: a run that did not finish has left it to do."""


def note_change(subject: str, what: str, diff: str = "", is_owed: bool = False) -> None:
    """Called by an operation before its first command. Kept per host and operation; the last reading wins."""
    changes_of(host)[host.current_op_hash or ""] = [
        *(c for c in changes_of(host).get(host.current_op_hash or "", []) if c.subject != subject),
        Change(subject, what, diff, is_owed),
    ]


def note_managed(subject: str) -> None:
    """Called by an operation whether or not it changes anything: this thing on the host is ours."""
    managed_on(host).add(subject)


def managed_on(some_host: object) -> set[str]:
    """What operations have said to be ours on one host: paths."""
    noted: set[str] = some_host.connector_data.setdefault("slipway_managed", set())  # type: ignore[attr-defined]
    return noted


def changes_of(some_host: object) -> dict[str, list[Change]]:
    """Operation identity to noted changes, for one host."""
    noted: dict[str, list[Change]] = some_host.connector_data.setdefault("slipway_changes", {})  # type: ignore[attr-defined]
    return noted
