"""Versions of a secret in rotation: what the source says is what is done next, and reserved names are nobody else's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.secrets import SecretMissing, Secrets
from slipway.secrets.versions import (
    Edit,
    Phase,
    accepting,
    finished,
    is_reserved,
    moved,
    phase_of,
    replaced,
    revoking,
    split,
)


def applied(held: dict[str, str], edit: Edit) -> dict[str, str]:
    return {name: value for name, value in {**held, **edit}.items() if value is not None}


def secrets(held: dict[str, str]) -> Secrets:
    return Secrets("test", held.get, tuple(held))


def values(held: dict[str, str]) -> list[str]:
    return [each.reveal() for each in secrets(held).accepted("pw")]


def test_a_rotation_goes_through_its_phases_and_leaves_one_value() -> None:
    """Both are taken from before the new one is handed out until after the old one is not any more."""
    held = {"pw": "old"}
    told = [(phase_of("pw", held), values(held))]
    for edit in (accepting("pw", "new"), moved("pw", "old", "new", 1.7e9, "b"), revoking("pw"), finished("pw")):
        held = applied(held, edit)
        told.append((phase_of("pw", held), values(held)))
    assert told == [
        (Phase.STEADY, ["old"]),
        (Phase.ACCEPTING, ["old", "new"]),
        (Phase.MOVED, ["new", "old"]),
        (Phase.REVOKING, ["new"]),
        (Phase.STEADY, ["new"]),
    ]
    assert held == {"pw": "new", "pw.login": "b"}
    assert secrets(held).logins() == {"pw": "b"}


def test_a_value_that_is_replaced_at_once_owes_a_deploy() -> None:
    """So that a run that dies before its deploy does not draw another value the next time."""
    held = applied({"pw": "old"}, replaced("pw", "new"))
    assert (phase_of("pw", held), values(held)) == (Phase.REVOKING, ["new"])


def test_versions_that_contradict_each_other_are_told() -> None:
    """Two entries of which one rotation leaves only one: a person's, who has to say which counts."""
    with pytest.raises(ValueError, match=r"pw\.next and pw\.previous do not go together"):
        phase_of("pw", {"pw", "pw.next", "pw.previous"})


@pytest.mark.parametrize("name", ["pw.next", "pw.previous", "pw.login", "pw.moved", "pw.revoked"])
def test_a_reserved_name_is_no_secret_of_its_own(name: str) -> None:
    """Data that names one is told which name it should be; only what containers get may be another version."""
    found = secrets({"pw": "one", name: "two"})
    assert found.names == ("pw",)
    with pytest.raises(SecretMissing, match="belongs to the rotation of 'pw'"):
        found.get(name)
    if split(name)[1] not in ("next", "previous"):
        with pytest.raises(SecretMissing):
            found.delivered(name)


@pytest.mark.parametrize("kind", ["next", "previous"])
def test_an_application_that_takes_two_always_gets_two(kind: str) -> None:
    """The other version while there is one, the present one otherwise: its file is never missing."""
    assert secrets({"pw": "one"}).delivered(f"pw.{kind}").reveal() == "one"
    assert secrets({"pw": "one", f"pw.{kind}": "two"}).delivered(f"pw.{kind}").reveal() == "two"
    assert secrets({"pw": "one", f"pw.{kind}": "two"}).delivered("pw").reveal() == "one"


def test_an_empty_version_is_told_by_its_own_name() -> None:
    """A version that somebody emptied is no password that everybody may guess."""
    with pytest.raises(SecretMissing, match=r"'pw\.next' is empty"):
        secrets({"pw": "one", "pw.next": " "}).accepted("pw")


@given(st.text(max_size=30))
def test_a_name_is_reserved_by_its_last_part_alone(name: str) -> None:
    """Whatever it holds besides; a kind without a secret before it is a name like others."""
    own, kind = split(name)
    assert is_reserved(name) == bool(kind)
    assert not kind or f"{own}.{kind}" == name
    assert is_reserved(f"x{name}.next")


def test_who_asks_is_noted_in_order() -> None:
    """For `slipway secrets list`: names that are missing as well, and nobody outside of a block."""
    found = secrets({"pw": "one"})
    with found.asked_by("role redis"):
        found.get("pw")
        with pytest.raises(SecretMissing):
            found.get("gone")
    with found.asked_by("api"):
        found.delivered("pw.previous")
        found.get("pw")
    found.get("pw")
    assert {name: list(users) for name, users in found.asked.items()} == {
        "pw": ["role redis", "api"],
        "gone": ["role redis"],
        "pw.previous": ["api"],
    }
