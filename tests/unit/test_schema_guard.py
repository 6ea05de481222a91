"""Going back leaves the schema as it is: whether a release may, and what is said where it may not."""

from __future__ import annotations

from typing import Any

import pytest

from slipway.facts.schema import Finished
from slipway.schema_guard import Schema, objection, present_schema, schema_in


def schema(key: str, revision: str = "", runs_on: str = "", still_runs: str = "") -> Schema:
    return Schema(key, revision, tuple(runs_on.split()), tuple(still_runs.split()), f"release-{key}")


GUARD: list[tuple[str, Schema | None, Schema, bool]] = [
    ("the same migration", schema("k1"), schema("k1"), True),
    ("another migration", schema("k1"), schema("k2"), False),
    ("the same revision", schema("k1", "v1"), schema("k2", "v1"), True),
    ("another revision", schema("k1", "v1"), schema("k2", "v2"), False),
    ("the release runs on it", schema("k1", "v1", runs_on="v2 v3"), schema("k2", "v2"), True),
    ("the release runs on anything like it", schema("k1", "v1", runs_on="v[2-4]*"), schema("k2", "v2.1"), True),
    ("the release runs on others", schema("k1", "v1", runs_on="v3 v4*"), schema("k2", "v2"), False),
    ("the schema still carries it", schema("k1", "v1"), schema("k2", "v2", still_runs="v0 v1"), True),
    ("the schema carries anything like it", schema("k1", "v1.7"), schema("k2", "v2", still_runs="v1.*"), True),
    ("the schema carries others", schema("k1", "v1"), schema("k2", "v2", still_runs="v0"), False),
    ("what it runs on is not what it still runs", schema("k1", "v1", still_runs="v2"), schema("k2", "v2"), False),
    ("a schema without a name is like none", schema("k1", "v1", runs_on="*"), schema("k2"), False),
    ("a release without a name is like none", schema("k1"), schema("k2", "v2", still_runs="*"), False),
    ("a release without a migration", None, schema("k2", "v2"), True),
    ("a schema that nobody knows", schema("k1", "v1"), Schema(), False),
]


@pytest.mark.parametrize(("target", "present", "may"), [case[1:] for case in GUARD], ids=[case[0] for case in GUARD])
def test_a_release_goes_back_only_to_a_schema_that_it_can_run_on(
    target: Schema | None, present: Schema, may: bool
) -> None:
    """Equal, or one of the two says so."""
    assert (objection(target, present) is None) == may


@pytest.mark.parametrize(
    ("accepted", "may"), [("", False), ("v2", True), ("k2", True), ("v1", False), ("unknown", False)]
)
def test_consent_names_the_schema_that_is_there(accepted: str, may: bool) -> None:
    """Not the one that was hoped for."""
    assert (objection(schema("k1", "v1"), schema("k2", "v2"), accepted) is None) == may


def test_a_refusal_says_what_is_there_and_what_to_do() -> None:
    """Which schema, by which release, what the target declares, and both ways out."""
    told = str(objection(schema("k1", "v1", runs_on="v0"), schema("k2", "v2")))
    for part in ("release release-k1", "the schema is v2", "release release-k2 brought", "brings v1", "runs on v0"):
        assert part in told
    assert "fix forward" in told and "--accept-schema v2" in told and "still_runs" in told


def record(identity: str, key: str, **migration: Any) -> dict[str, Any]:
    return {"id": identity, "schema": key, "application": {"migration": {"revision": None, **migration}}}


def test_the_schema_that_is_there_is_the_last_one_finished() -> None:
    """With what the newest record of that migration says of it: it may have been declared after it ran."""
    found = [record("r4", "k1"), record("r3", "k2", revision="v2", still_runs=["v1"]), record("r2", "k2")]
    assert present_schema(Finished("k2", "r2"), found) == Schema("k2", "v2", (), ("v1",), "r3")
    assert present_schema(Finished("k9", "r9"), found) == Schema(key="k9", brought_by="r9")
    assert present_schema(None, found).name == "unknown"


def test_a_release_without_a_migration_says_nothing_of_a_schema() -> None:
    """Nor does a record of an older version."""
    assert schema_in({"id": "a", "application": {"migration": None}}) is None
    assert schema_in({"id": "a"}) is None
