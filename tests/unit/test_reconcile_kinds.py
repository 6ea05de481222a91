"""Telling differences apart: drift, owed, intended, noise; held or not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pydantic import ValidationError

from slipway.holds import Hold
from slipway.reconcile.kinds import Case, Looked, Pending, differences, may_run, told_once
from slipway.reconcile.settings import Noise, Reconcile
from slipway.report import Change

CASE = Case("web1")


def pending(subject: str = "/etc/motd", what: str = "content", diff: str = "", **more: bool) -> Pending:
    return Pending("base", "Write the message", Change(subject, what, diff, **more))


def hold(scope: str, subject: str = "") -> Hold:
    since, until = "2026-11-20T08:00:00+00:00", "2026-11-20T18:00:00+00:00"
    return Hold("ab12", scope, subject, "why not", "ada@ops1", since, until)  # type: ignore[arg-type]


def kinds(
    case: Case, record: list[Pending], project: list[Pending], managed: frozenset[str] = frozenset()
) -> list[str]:
    return [each.kind for each in differences(case, Looked(tuple(record)), Looked(tuple(project), managed))]


def test_what_differs_from_the_record_is_drift() -> None:
    """Where the repository says the same as the record, it is told once, with what and diff."""
    changed = pending(diff="-a\n+b\n")
    (found,) = differences(CASE, Looked((changed,)), Looked((changed,)))
    assert (found.kind, found.role, found.subject, found.diff) == ("drift", "base", "/etc/motd", "-a\n+b\n")


def test_what_differs_from_the_repository_alone_is_intended() -> None:
    """The host is as it was released; a deploy will bring the rest."""
    assert kinds(CASE, [], [pending()]) == ["intended"]


def test_what_was_changed_and_is_to_change_anyway_is_both() -> None:
    """The drift from the record, and what a deploy will bring in its place."""
    assert kinds(CASE, [pending(diff="1")], [pending(diff="2")]) == ["drift", "intended"]


def test_what_the_host_has_already_as_the_repository_wants_it_is_intended() -> None:
    """Nobody is to undo what somebody has gone ahead with; only the record does not know of it."""
    assert kinds(CASE, [pending()], [], frozenset({"/etc/motd"})) == ["intended"]


def test_what_the_repository_does_not_know_any_more_is_drift() -> None:
    """It is what was released, until something else is."""
    assert kinds(CASE, [pending()], []) == ["drift"]


def test_a_debt_is_owed() -> None:
    """A restart or reload that is noted on the host, or shows in what runs."""
    assert kinds(CASE, [pending("nginx", "owed reload", is_owed=True)], []) == ["owed"]


def test_whatever_an_unfinished_run_has_left_is_owed() -> None:
    """With the time at which that run began."""
    (found,) = differences(replace(CASE, owed_since="2026-11-20T08:00:00+00:00"), Looked((pending(),)), Looked())
    assert (found.kind, found.since) == ("owed", "2026-11-20T08:00:00+00:00")


def test_a_host_without_a_record_has_nothing_to_drift_from() -> None:
    """All of it is intended, also what a comparison with somebody else's record says."""
    assert kinds(replace(CASE, is_on_record=False), [pending()], [pending()]) == ["intended"]


def test_a_role_that_always_comes_as_declared_and_was_declared_anew_is_intended() -> None:
    """Who may come in is no release's to say: its data on record is of no use."""
    assert kinds(replace(CASE, moved=frozenset({"base"})), [pending()], [pending()]) == ["intended"]


@pytest.mark.parametrize(
    ("noise", "is_known"),
    [
        (Noise(subject="/etc/m*", reason="r"), True),
        (Noise(host="web*", role="base", reason="r"), True),
        (Noise(host="db*", subject="/etc/motd", reason="r"), False),
        (Noise(role="nginx", subject="/etc/motd", reason="r"), False),
    ],
)
def test_noise_is_what_its_patterns_say(noise: Noise, is_known: bool) -> None:
    """Host, role and subject all have to fit; the reason is told."""
    (found,) = differences(replace(CASE, noise=(noise,)), Looked((pending(),)), Looked((pending(),)))
    assert (found.kind, found.reason) == (("noise", "r") if is_known else ("drift", ""))


def test_noise_that_means_everything_is_refused() -> None:
    """So is one without a reason: whoever asks later is to be told."""
    for noise in ({"reason": "r"}, {"host": "web1"}, {"host": "web1", "reason": ""}):
        with pytest.raises(ValidationError):
            Reconcile.model_validate({"noise": [noise]})


@pytest.mark.parametrize(
    ("held", "is_held"),
    [
        (hold("host"), True),
        (hold("role", "base"), True),
        (hold("role", "nginx"), False),
        (hold("file", "/etc/motd"), True),
        (hold("file", "/etc/motd2"), False),
    ],
)
def test_what_is_held_is_told_and_left_alone(held: Hold, is_held: bool) -> None:
    """It keeps its kind; whoever mends does not touch it."""
    found = differences(replace(CASE, holds=(held,)), Looked((pending(),)), Looked((pending(),)))
    assert [(each.kind, each.held_by) for each in found] == [("drift", "ab12" if is_held else "")]
    assert may_run(found, brings_all=True) is not is_held


def test_a_thing_that_several_operations_would_bring_is_told_once() -> None:
    """By the first of them; what is of another kind, or differs in something else, stays."""
    found = differences(CASE, Looked((pending(), pending("/etc/hosts"))), Looked((pending(), pending(diff="2"))))
    again = tuple(replace(each, role="app", operation="Write it too") for each in found)
    assert told_once((*found, *again)) == found


def test_an_operation_runs_only_for_what_is_to_be_mended() -> None:
    """Not for what is intended, unless all is brought; never for noise; always where it would change nothing."""
    intended = differences(CASE, Looked(), Looked((pending(),)))
    noise = differences(
        replace(CASE, noise=(Noise(subject="/etc/motd", reason="r"),)), Looked((pending(),)), Looked((pending(),))
    )
    assert [may_run(intended, brings_all) for brings_all in (False, True)] == [False, True]
    assert [may_run(noise, brings_all) for brings_all in (False, True)] == [False, False]
    assert may_run((), brings_all=False)
