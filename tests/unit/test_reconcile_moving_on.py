"""Whether a schedule may bring what the repository wants: never in the place of something newer, or of a way back."""

from __future__ import annotations

from typing import Any

from slipway.history import History, Known
from slipway.reconcile.moving_on import objection


def history(*known: tuple[str, dict[str, Any]], serving: str) -> History:
    """Releases in the order in which they served."""
    hosts = {name: {"web1": {"id": name, "when": "then", "who": "ada@ops1", **record}} for name, record in known}
    return History(
        {name: Known(name, by_host, ("web1",) if name == serving else ()) for name, by_host in hosts.items()}
    )


def asked(commit_of_serving: str, commit: str, *ancestors: str, way: str = "deploy") -> str:
    known = history(("old", {"commit": commit_of_serving}), serving="old")
    return objection(known, "new", way, commit, lambda base: base in ancestors)


def test_a_checkout_that_contains_what_serves_may_move_on() -> None:
    """That is what a schedule that brings all is for."""
    assert asked("aaa", "bbb", "aaa") == ""


def test_a_newer_release_of_a_person_is_not_reverted() -> None:
    """It came from a commit that the checkout here does not have."""
    assert "commit ccc, which bbb here does not contain" in asked("ccc", "bbb", "aaa")


def test_a_release_from_files_that_nobody_has_committed_is_not_reverted() -> None:
    """Until a commit after that one is there."""
    assert "came from files that differ from commit aaa" in asked("aaa-dirty", "aaa")
    assert asked("aaa-dirty", "bbb", "aaa") == ""


def test_the_same_commit_with_other_data_may_move_on() -> None:
    """An inventory or a secret is not always in the repository."""
    assert asked("aaa", "aaa") == ""


def test_without_a_repository_nothing_can_be_said_against_it() -> None:
    """Neither of the two says where it came from."""
    assert asked("", "bbb") == asked("aaa", "") == ""


def test_a_way_back_is_not_undone() -> None:
    """What somebody has rolled back from is not brought again; something newer is."""
    known = history(("old", {"commit": "aaa"}), ("new", {"commit": "bbb"}), serving="old")
    told = objection(known, "new", "rollback", "bbb", lambda base: True)
    assert told == "release new served before and was rolled back from, to old (ada@ops1, then): fix forward"
    assert objection(known, "newer", "rollback", "bbb", lambda base: True) == ""


def test_what_serves_already_needs_no_moving_on() -> None:
    """Nor does a fleet on which nothing was ever released."""
    assert (
        objection(history(("old", {"commit": "ccc"}), serving="old"), "old", "deploy", "bbb", lambda base: False) == ""
    )
    assert objection(History(), "new", "", "bbb", lambda base: False) == ""
