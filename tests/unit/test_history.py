"""What a fleet has on record: in which order it served, which release a name means, and where a rollback goes."""

from __future__ import annotations

from typing import Any

import pytest

from slipway.facts.releases import RELEASES, Attempt, ReleaseRecords, ReleasesFact
from slipway.history import history
from slipway.problems import BadInput


def records(order: str, current: str = "", attempt: str = "", staged: str = "", lost: str = "") -> ReleaseRecords:
    """A host whose log has these releases, oldest first; `attempt` as `id way`."""
    ids = tuple(reversed(dict.fromkeys(reversed(order.split()))))
    told: dict[str, dict[str, Any]] = {each: {"id": each, "when": "then"} for each in ids if each not in lost.split()}
    told |= {each: {"id": each, "staged": "now"} for each in staged.split()}
    made = Attempt(*attempt.split(), "2026-01-01", "ops@desk") if attempt else None
    return ReleaseRecords(current or (ids[-1] if ids else ""), told, ids, made)


ORDERS: list[tuple[str, list[str], str]] = [
    ("alike", ["a b c", "a b c"], "a b c"),
    ("one has forgotten the oldest", ["b c", "a b c"], "a b c"),
    ("one came later", ["c", "a b c"], "a b c"),
    ("one missed the newest", ["a b", "a b c"], "a b c"),
    ("one has one of its own", ["a b c", "a x c"], "a x b c"),
    ("another's own is its newest", ["a b", "a x"], "a x b"),
    ("one went back", ["b a", "b a"], "b a"),
    ("nobody has anything", ["", ""], ""),
]


@pytest.mark.parametrize(("orders", "wanted"), [case[1:] for case in ORDERS], ids=[case[0] for case in ORDERS])
def test_releases_are_in_the_order_in_which_they_served(orders: list[str], wanted: str) -> None:
    """By the hosts' logs, which no clock disturbs; what one host alone knows stands after what it followed there."""
    found = history({f"web{n}": records(order) for n, order in enumerate(orders)})
    assert list(found.known) == wanted.split()


def test_who_keeps_a_release_and_where_it_serves() -> None:
    """Host by host, in inventory order; what was only staged has served nowhere, and comes last."""
    found = history({"web1": records("a b", staged="c"), "web2": records("a b", current="a"), "web3": records("")})
    assert list(found.known) == ["a", "b", "c"]
    b = found.known["b"]
    assert (b.kept_by, b.serves_on, b.has_served) == (("web1", "web2"), ("web1",), True)
    assert not found.known["c"].has_served


A1, A2, B1 = "4f2c1e0a9b07-11111111", "4f2c1e0a9b07-22222222", "4a7700000000-33333333"


@pytest.mark.parametrize(
    ("name", "wanted"),
    [(A1, A1), ("4f2c1e0a9b07-1", A1), ("4f2c1e0a9b07", A2), ("4f", A2), ("4a", B1)],
)
def test_any_beginning_of_a_name_will_do(name: str, wanted: str) -> None:
    """Of several configurations of one release it is the newest that served."""
    found = history({"web1": records(f"{A1} {B1} {A2}", staged="4f2c1e0a9b07-44444444")})
    assert found.find(name).id == wanted


def test_a_run_that_came_to_no_end_is_found_by_its_release() -> None:
    """Though another configuration of the same release has served."""
    staged = "4f2c1e0a9b07-44444444"
    found = history({"web1": records(f"{A1} {B1}", attempt=f"{staged} deploy", staged=staged)})
    assert found.attempted("4f2c1e0a9b07").id == staged
    assert found.find("4f2c1e0a9b07").id == A1 and found.attempted("4a").id == B1


@pytest.mark.parametrize(("name", "told"), [("4", "could be"), ("9", "no host keeps it"), ("", "no host keeps it")])
def test_a_name_that_means_none_or_several_is_refused(name: str, told: str) -> None:
    """With those that it could mean."""
    with pytest.raises(BadInput, match=told):
        history({"web1": records(f"{A1} {B1}")}).find(name)


BEFORE: list[tuple[str, dict[str, ReleaseRecords], str]] = [
    ("the one before", {"web1": records("a b c")}, "b"),
    ("there and back", {"web1": records("b c a b")}, "a"),
    ("not one that was only staged", {"web1": records("a b", staged="c")}, "a"),
    ("not one that nobody keeps", {"web1": records("a b c", lost="b")}, "a"),
    ("one host is behind", {"web1": records("a b c"), "web2": records("a b")}, "b"),
    ("a roll that stopped", {"web1": records("a b", attempt="c deploy", staged="c")}, "b"),
    ("a roll that stopped at its record", {"web1": records("a b c"), "web2": records("a b", attempt="c deploy")}, "b"),
    ("a rollback that stopped", {"web1": records("a b c", attempt="a rollback")}, "a"),
    ("a release again that stopped", {"web1": records("a b", attempt="a deploy")}, "b"),
]


@pytest.mark.parametrize(("found", "wanted"), [case[1:] for case in BEFORE], ids=[case[0] for case in BEFORE])
def test_where_a_rollback_goes_that_is_not_told(found: dict[str, ReleaseRecords], wanted: str) -> None:
    """To what served before this; out of a run that has stopped, to what serves."""
    assert history(found).before().id == wanted


@pytest.mark.parametrize("found", [records(""), records("a"), records("a b", lost="a"), records("a", staged="b")])
def test_nothing_to_go_back_to_is_told(found: ReleaseRecords) -> None:
    """No guess."""
    with pytest.raises(BadInput, match="no host has a release on record to go back to"):
        history({"web1": found}).before()


def test_a_host_says_what_it_has() -> None:
    """Current, attempt, log, records and secrets' directories; an unreadable record is none."""
    output = [
        "secrets shop-web-0123", "current b.json", "attempt c deploy 2026-01-02 ops@desk",
        "log 2026-01-01 a ops@desk - deploy", "log 2026-01-02 b ops@desk - deploy", "log cut",
        'record {"id": "b", "when": "then"}', 'record {"id": "c"}', "record {cut", "record []",
    ]  # fmt: skip
    found = ReleasesFact().process(output)
    assert (found.current, found.order, set(found.records)) == ("b", ("a", "b"), {"b", "c"})
    assert found.attempt == Attempt("c", "deploy", "2026-01-02", "ops@desk")
    assert (found.never_current, found.directories) == ({"c"}, {"shop-web-0123"})
    assert RELEASES in str(ReleasesFact().command())
