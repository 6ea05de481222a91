"""A release that comes by shares of the sessions, under the whole load: set, promoted, called off."""

from __future__ import annotations

import pytest

from tests.rollout.fleet import EDGES, HOST, WORKERS, Fleet, assert_unnoticed, set_environment, watched
from tests.rollout.sessions import sessions
from tests.stack.project import Variant

pytestmark = pytest.mark.hosts

SESSIONS = 200


def _comes_by_shares(variant: Variant, note: str, weight: int) -> None:
    set_environment(variant, "RELEASE_NOTE", note)
    with variant.compose() as document:
        document["x-slipway"]["canary"] = {"weight": weight, "by": "cookie"}


@pytest.mark.sample("canary", 1)
def test_a_canary_is_set_and_promoted(fleet: Fleet, variant: Variant) -> None:
    """Its share of the sessions, each of which stays where it is; more with `set`; everybody after `promote`."""
    _comes_by_shares(variant, "promoted", 20)
    with fleet.load() as seen:
        came = watched(variant, "deploy", "lab")
        assert came.returncode == 0, came.stderr
        new = variant.plan()["release"]
        few = sessions(fleet.edges[0], HOST, SESSIONS)
        assert variant.slipway("canary", "lab", "set", "60").returncode == 0
        more = sessions(fleet.edges[1], HOST, SESSIONS)
        promoted = watched(variant, "canary", "lab", "promote")
        assert promoted.returncode == 0, promoted.stderr
    print(f"{few.share(new):.2f} then {more.share(new):.2f}; {seen.told()}")
    assert (few.wavering, more.wavering) == ([], [])
    # Four standard deviations of 200 draws.
    assert abs(few.share(new) - 0.2) < 0.12
    assert abs(more.share(new) - 0.6) < 0.14
    assert_unnoticed(seen, promoted)
    assert fleet.project.served() == {worker: {new} for worker in WORKERS}
    for edge in EDGES:
        assert set(fleet.admitted(edge)["api"].values()) == {new}
        assert "canary" not in fleet.state(edge)["upstreams"]["api"]


@pytest.mark.sample("canary", 1)
def test_a_canary_is_called_off(fleet: Fleet, variant: Variant) -> None:
    """Everybody is back at the release before, and nothing is left of the other."""
    old = fleet.project.plan()["release"]
    _comes_by_shares(variant, "called off", 50)
    with fleet.load() as seen:
        assert watched(variant, "deploy", "lab").returncode == 0
        # Another release has to wait: there would be three.
        set_environment(variant, "RELEASE_NOTE", "a third")
        third = variant.slipway("deploy", "lab")
        assert third.returncode == 1
        assert "canary lab promote" in third.stderr
        back = watched(variant, "canary", "lab", "abort")
        assert back.returncode == 0, back.stderr
    assert_unnoticed(seen, back)
    assert fleet.project.plan()["hosts"] == {}
    assert fleet.project.served() == {worker: {old} for worker in WORKERS}
    for edge in EDGES:
        assert set(fleet.admitted(edge)["api"].values()) == {old}
        assert "canary" not in fleet.state(edge)["upstreams"]["api"]
