"""Telling differences apart: changed on the host, owed by a run, to come, or known as noise. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from slipway.holds import Hold
from slipway.reconcile.result import Difference, Kind
from slipway.reconcile.settings import Noise
from slipway.report import Change

NO_WORD = "would change it"
"""What an operation says that says nothing of what it would change: one of pyinfra's own."""


@dataclass(frozen=True)
class Pending:
    """One change that a run would make on a host."""

    role: str
    """Empty for an operation of deploy.py itself."""
    operation: str
    change: Change

    @property
    def place(self) -> tuple[str, str, str]:
        """What tells it from other changes of the host."""
        return self.role, self.operation, self.change.subject


@dataclass(frozen=True)
class Looked:
    """What one comparison says of one host."""

    pending: tuple[Pending, ...] = ()
    managed: frozenset[str] = frozenset()
    """Paths that it says are ours, whether they differ or not."""


@dataclass(frozen=True)
class Case:
    """What else decides what a difference on one host is."""

    host: str
    is_on_record: bool = True
    """Whether anything was ever released to it: without that there is nothing to drift from."""
    owed_since: str | None = None
    """When the run began that did not finish there; None where every run has."""
    moved: frozenset[str] = frozenset()
    """Roles that always come as declared today, and are declared otherwise than when the release was recorded."""
    noise: tuple[Noise, ...] = ()
    holds: tuple[Hold, ...] = ()


def differences(case: Case, record: Looked, project: Looked) -> tuple[Difference, ...]:
    """Every difference of a host from its record, and from what the repository wants, each with its kind.

    A thing that was changed by hand and is to change anyway is both. What the host has already as the repository wants
    it, and only its record does not know, is intended: to take it back would undo what somebody has gone ahead with.
    """
    to_come = {each.place for each in project.pending}
    already = {each.place for each in record.pending if each.change.subject in project.managed} - to_come
    known = {(each.place, each.change.what, each.change.diff) for each in record.pending}
    from_record = [each for each in record.pending if case.is_on_record]
    new = [
        each
        for each in project.pending
        if not case.is_on_record or (each.place, each.change.what, each.change.diff) not in known
    ]
    return (
        *(_difference(case, each, _kind(case, each, each.place in already)) for each in from_record),
        *(_difference(case, each, "intended") for each in new),
    )


def _kind(case: Case, pending: Pending, is_already_there: bool) -> Kind:
    if case.owed_since is not None or pending.change.is_owed:
        return "owed"
    return "intended" if is_already_there or pending.role in case.moved else "drift"


def _difference(case: Case, pending: Pending, kind: Kind) -> Difference:
    change = pending.change
    reason = known_as_noise(case.noise, case.host, pending)
    return Difference(
        "noise" if reason else kind, pending.role, pending.operation, change.subject, change.what, change.diff,
        since=(case.owed_since or "") if kind == "owed" else "", held_by=held_by(case.holds, pending), reason=reason,
    )  # fmt: skip


def known_as_noise(noise: Iterable[Noise], host: str, pending: Pending) -> str:
    """Why this may differ; empty where nobody has said so."""
    return next((each.reason for each in noise if each.covers(host, pending.role, pending.change.subject)), "")


def held_by(holds: Iterable[Hold], pending: Pending) -> str:
    """Id of a hold that keeps this as it is; empty where none does."""
    return next((each.id for each in holds if each.covers(pending.role, pending.change.subject)), "")


def told_once(found: Iterable[Difference]) -> tuple[Difference, ...]:
    """The same for a person: a thing that several operations would bring is one difference."""
    alike = {(each.kind, each.subject, each.what, each.diff, each.held_by): each for each in reversed([*found])}
    return tuple(alike.values())[::-1]


def is_to_be_mended(difference: Difference, brings_all: bool) -> bool:
    """Whether a run that mends is to touch it. + brings_all: whether it brings what is intended, too"""
    kinds = ("drift", "owed", "intended") if brings_all else ("drift", "owed")
    return difference.kind in kinds and not difference.held_by


def may_run(found: Sequence[Difference], brings_all: bool) -> bool:
    """Whether an operation that would make these differences go may run: something of it is to be mended, and nothing
    of it is held. One that would change nothing may: it only looks."""
    if any(each.held_by for each in found):
        return False
    return not found or any(is_to_be_mended(each, brings_all) for each in found)
