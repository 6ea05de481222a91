"""A host that is off while the others get a release: refused or left out, and let in again when it has caught up."""

from __future__ import annotations

import time

import pytest

from tests.rollout.fleet import EDGES, Fleet, set_environment, watched
from tests.stack.project import Variant

pytestmark = pytest.mark.hosts

AWAY = "worker3"
BOOT_SECONDS = 60


def test_a_host_that_was_away_serves_nothing_old(fleet: Fleet, variant: Variant) -> None:
    """By default nothing is done without it; told to go on, the roll does, names it, and edges forget it until a deploy
    has brought it there."""
    old, lab = fleet.project.plan()["release"], fleet.project.lab
    set_environment(variant, "RELEASE_NOTE", "one is away")
    lab.stop(AWAY)
    try:
        refused = watched(variant, "deploy", "lab")
        assert refused.returncode == 1
        assert AWAY in refused.stderr
        with variant.compose() as document:
            document["x-slipway"]["rollout"] = {"unreachable": "continue"}
        with fleet.load() as seen:
            told = watched(variant, "deploy", "lab")
            assert told.returncode == 1, told.stderr
            assert f"{AWAY}: unreachable" in told.errors
    finally:
        lab.start(AWAY)
    assert seen.failures == [], seen.told()
    new = told.events[0]["details"]["release"]
    assert new != old
    assert _it_runs_again(fleet, old)
    with fleet.load() as back:
        time.sleep(5)  # some five hundred requests: one in three would meet it
        caught_up = watched(variant, "deploy", "lab")
    assert caught_up.returncode == 0, caught_up.stderr
    assert back.failures == [], back.told()
    assert back.releases == [new]
    for edge in EDGES:
        assert len(fleet.admitted(edge)["api"]) == 6


def _it_runs_again(fleet: Fleet, release: str) -> bool:
    """Whether Docker has brought back what ran there, of the old release."""
    words = ["docker", "ps", "--filter", f"label=slipway.release={release}", "--format", "{{.Names}}"]
    deadline = time.monotonic() + BOOT_SECONDS
    while time.monotonic() < deadline:
        if "api" in fleet.project.lab.exec(AWAY, words).stdout:
            return True
        time.sleep(1)  # a host takes some seconds to start its engine
    return False
