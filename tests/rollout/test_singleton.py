"""The scheduler, which must never run twice: its own lease log over many releases."""

from __future__ import annotations

import json
import os
import subprocess

import pytest

from tests.conftest import WHOLE
from tests.rollout.fleet import HOST, Fleet, watched
from tests.stack.project import Variant

pytestmark = pytest.mark.hosts

RELEASES = 20 if os.environ.get(WHOLE) else 2


def test_the_singleton_never_runs_twice(fleet: Fleet, variant: Variant) -> None:
    """No lease overlaps the next one, over so many releases."""
    for number in range(RELEASES):
        with variant.compose() as document:
            document["services"]["scheduler"]["environment"]["RELEASE_NOTE"] = str(number)
        told = watched(variant, "deploy", "lab")
        assert told.returncode == 0, told.stderr
    story = _story(fleet)
    print(f"{len(story['leases'])} leases, overlaps: {story['overlaps']}")
    assert story["leases"]
    assert story["overlaps"] == []


def _story(fleet: Fleet) -> dict[str, list[object]]:
    words = ["curl", "-sS", "-m", "20", "-H", f"Host: {HOST}", f"http://{fleet.edges[0].address}/api/scheduler"]
    told: dict[str, list[object]] = json.loads(subprocess.run(words, capture_output=True, text=True, check=True).stdout)
    return told
