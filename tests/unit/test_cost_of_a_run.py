"""What a run without changes costs the controller: processor time, measured in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.slowness import slowness
from tests.wrong_project import ROOT

SECONDS, MEMORY_MB = 5.0, 400
"""Of the controller, for a hundred operations on each of a hundred hosts."""


MEASURED = 2
"""Times that each is measured. What else the machine does only ever adds to it, so the least counts."""

pytestmark = pytest.mark.sweep


def measured(*words: str) -> Any:
    """What a run over hosts that answer at once says of itself, in a process of its own."""
    command = [sys.executable, "-m", "tests.many_hosts", *words]
    # Two runs take eight seconds; on a machine that is busy with other tests a multiple of that.
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=True)
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def large() -> list[dict[str, float]]:
    """A hundred hosts, several times."""
    return [measured("100", "100") for _ in range(MEASURED)]


def test_a_hundred_operations_on_a_hundred_hosts_take_five_seconds(large: list[dict[str, float]]) -> None:
    """Everything was looked at, nothing was changed; longer only where everything takes longer at the moment."""
    assert [(found["unchanged"], found["changed"]) for found in large] == [(10_000, 0)] * MEASURED
    assert [found["commands"] for found in large] == [100] * MEASURED  # what it asks is known from the run before
    assert min(found["seconds"] for found in large) < SECONDS * slowness()
    assert min(found["first_seconds"] for found in large) < SECONDS * slowness()
    assert max(found["memory_mb"] for found in large) < MEMORY_MB


def test_ten_times_the_hosts_make_no_more_than_ten_times_the_work(large: list[dict[str, float]]) -> None:
    """Counted in calls of functions, which nothing else on the machine adds to; the time then grows with them.

    Half as much again is allowed for the time: ten times the data fit less well into a processor's cache.
    """
    few, many = (measured(hosts, "100", "calls") for hosts in ("10", "40"))
    assert few < many < few * 4
    small = min(measured("10", "100")["seconds"] for _ in range(MEASURED))
    assert min(found["seconds"] for found in large) < small * 10 * 1.5
