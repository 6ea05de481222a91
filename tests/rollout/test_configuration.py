"""Changed configuration goes through the same engine: one host after the other, requests elsewhere meanwhile."""

from __future__ import annotations

import time

import pytest

from tests.rollout.fleet import EDGE_DRAIN_SECONDS, EDGES, WORKERS, Fleet, Told, assert_unnoticed, watched
from tests.rollout.load.http2 import CONNECTIONS
from tests.rollout.load.seen import HTTP2
from tests.stack.project import Variant

pytestmark = pytest.mark.hosts


def _brought(fleet: Fleet, variant: Variant) -> Told:
    with fleet.load() as seen:
        told = watched(variant, "deploy", "lab")
    print(seen.told())
    assert told.returncode == 0, told.stderr
    cut = [failure for failure in seen.failures if failure.kind != "websocket"]
    assert cut == [], f"{seen.told()}\n{told.stderr}"
    return told


def _turns(told: Told, stage: str) -> list[str]:
    return [e["host"] for e in told.events if e.get("stage") == stage and e.get("what", "").startswith("turn ")]


@pytest.mark.sample("configuration", 1)
def test_a_changed_edge_is_not_noticed(fleet: Fleet, variant: Variant) -> None:
    """nginx reads its new configuration on one edge after the other. No request fails, HTTP/2 goes over to new
    connections, and WebSockets have nginx's own drain time."""
    variant.add_group_data("lab", 'nginx = {**nginx, "keepalive_seconds": 61}')
    with fleet.load() as seen:
        told = watched(variant, "deploy", "lab")
        time.sleep(EDGE_DRAIN_SECONDS + 3)  # what old workers cut, they have cut by then
    assert_unnoticed(seen, told)
    assert _turns(told, "Edges") == list(EDGES)
    assert seen.connections[HTTP2] == 2 * CONNECTIONS * len(EDGES)


@pytest.mark.sample("configuration", 1)
def test_a_restarted_engine_is_not_noticed(fleet: Fleet, variant: Variant) -> None:
    """Docker restarts on one worker after the other, and the containers run on."""
    before = {worker: _started(fleet, worker) for worker in WORKERS}
    variant.add_group_data("lab", 'docker = {**docker, "log_driver": "json-file"}')
    told = _brought(fleet, variant)
    assert _turns(told, "Services") == list(WORKERS)
    assert {worker: _started(fleet, worker) for worker in WORKERS} == before


def _started(fleet: Fleet, worker: str) -> list[str]:
    words = "docker ps -q | xargs docker inspect -f '{{.Name}} {{.State.StartedAt}}' | sort"
    return fleet.project.lab.exec(worker, ["sh", "-c", words]).stdout.splitlines()
