"""Releases, their way back and a changed environment, under the whole load: nobody notices."""

from __future__ import annotations

import pytest

from tests.rollout.fleet import EDGES, WORKERS, Fleet, assert_unnoticed, set_environment, set_order, watched
from tests.stack.project import Variant

pytestmark = pytest.mark.hosts

REPLICAS = 6


def test_a_release_is_not_noticed(fleet: Fleet, variant: Variant) -> None:
    """A new image, stop-first, on two replicas of each service on each of three hosts: no request fails, and clients
    meet one release, then the other."""
    old = variant.plan()["release"]
    variant.change_source()
    set_order(variant, "stop-first")
    with fleet.load() as seen:
        told = watched(variant, "deploy", "lab")
    assert_unnoticed(seen, told)
    new = variant.plan()["release"]
    assert seen.releases == [old, new]
    assert_all_serve(fleet, new)


def test_a_changed_environment_is_not_noticed(fleet: Fleet, variant: Variant) -> None:
    """Start-first: both stand side by side, no request fails, and every container has it afterwards."""
    with variant.compose() as document:
        level = document["services"]["api"]["environment"]["LOG_LEVEL"]
    set_order(variant, "start-first")
    set_environment(variant, "LOG_LEVEL", "WARNING" if level == "INFO" else "INFO")
    with fleet.load() as seen:
        told = watched(variant, "deploy", "lab")
    assert_unnoticed(seen, told)
    assert_all_serve(fleet, variant.plan()["release"])


def test_a_rollback_is_not_noticed(fleet: Fleet, variant: Variant) -> None:
    """The release before serves everywhere again, as it was; no request failed on the way."""
    now = variant.plan()["release"]
    with fleet.load() as seen:
        told = watched(variant, "rollback", "lab")
    assert_unnoticed(seen, told)
    assert seen.releases[0] == now
    assert len(seen.releases) == 2
    assert_all_serve(fleet, seen.releases[1])


def assert_all_serve(fleet: Fleet, release: str) -> None:
    """Every container is of this release, and every edge sends requests to all of them and to nothing else."""
    assert fleet.project.served() == {worker: {release} for worker in WORKERS}
    for worker in WORKERS:
        assert not [name for name in fleet.containers(worker) if name.endswith("-previous")]
    for edge in EDGES:
        assert fleet.state(edge)["drained"] == {}
        for service in ("api", "ws"):
            assert list(fleet.admitted(edge)[service].values()) == [release] * REPLICAS
