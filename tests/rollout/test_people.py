"""What people and fate do to a rollout in progress: pause it, go on, call it off, kill its controller."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable

import pytest

from tests.conftest import SEED
from tests.rollout.fleet import WORKERS, Fleet, set_environment, watched
from tests.stack.project import Variant

pytestmark = pytest.mark.hosts

A_WHILE = 240
"""Seconds in which a roll of three hosts gets to any of its points, on two cores that have much else to do."""
KILLS = 10


@pytest.mark.sample("people", 1)
def test_a_rollout_waits_and_goes_on(fleet: Fleet, variant: Variant) -> None:
    """`pause` from another terminal: the batch in hand is finished and no other begins; `resume`: the rest follows."""
    set_environment(variant, "RELEASE_NOTE", "paused")
    with fleet.load() as seen:
        rolling = variant.slipway_begun("deploy", "lab", "--json")
        _turn(variant, rolling, 1)
        assert variant.slipway("pause", "lab").returncode == 0
        waits = _event(variant, rolling, lambda event: "paused by" in event.get("what", ""))
        assert "slipway resume lab" in waits["what"]
        time.sleep(5)  # long enough for a roll that does not wait to begin its next batch
        resumed = variant.slipway("resume", "lab")
        assert (resumed.returncode, "goes on" in resumed.stdout) == (0, True), resumed.stderr
        later = [json.loads(line) for line in rolling.stdout or ()]
        assert rolling.wait(A_WHILE) == 0
    assert [event["host"] for event in later if event.get("what", "").startswith("turn ")] == ["worker2", "worker3"]
    waited = next(event["seconds"] for event in later if event["kind"] == "step" and event["what"] == "wait")
    assert waited >= 5
    assert seen.failures == [], seen.told()
    assert fleet.project.lab.exec("worker1", ["test", "-e", "/var/lib/slipway/journal.json"]).code != 0


@pytest.mark.sample("people", 1)
def test_a_rollout_is_called_off(fleet: Fleet, variant: Variant) -> None:
    """`abort` from another terminal: what had moved goes back, the rest was not touched, and it exits with 1."""
    old = fleet.project.plan()["release"]
    set_environment(variant, "RELEASE_NOTE", "called off")
    with fleet.load() as seen:
        rolling = variant.slipway_begun("deploy", "lab", "--json")
        _turn(variant, rolling, 1)
        assert variant.slipway("abort", "lab").returncode == 0
        last = [json.loads(line) for line in rolling.stdout or ()][-1]
        assert rolling.wait(A_WHILE) == 1
    assert last["details"]["aborted"].startswith("aborted by "), last
    assert last["details"]["taken_back"] == ["worker1"]
    assert last["details"]["untouched"] == ["worker2", "worker3"]
    assert seen.failures == [], seen.told()
    assert fleet.project.served() == {worker: {old} for worker in WORKERS}


@pytest.mark.sample("people", 1)
def test_the_first_host_goes_alone_until_a_person_says_so(fleet: Fleet, variant: Variant) -> None:
    """x-slipway.rollout.first_host: the rest waits for `resume`."""
    set_environment(variant, "RELEASE_NOTE", "first alone")
    with variant.compose() as document:
        document["x-slipway"]["rollout"] = {"first_host": True}
    rolling = variant.slipway_begun("deploy", "lab", "--json")
    _event(variant, rolling, lambda event: "the first host goes alone" in event.get("what", ""))
    new, old = variant.plan()["release"], fleet.project.plan()["release"]
    rows = json.loads(variant.slipway("status", "lab", "--json").stdout)
    api = {row["host"]: row["release"] for row in rows if row["name"] == "demo-api-1"}
    assert api == {"worker1": new, "worker2": old, "worker3": old}
    assert variant.slipway("resume", "lab").returncode == 0
    for _ in rolling.stdout or ():
        pass
    assert rolling.wait(A_WHILE) == 0
    assert fleet.project.served() == {worker: {new} for worker in WORKERS}


@pytest.mark.sample("killed controllers", 1)
@pytest.mark.parametrize("number", range(KILLS))
def test_a_killed_controller_costs_nothing(fleet: Fleet, variant: Variant, number: int) -> None:
    """SIGKILL at a random moment of a roll: the service answers all along, and the next command finishes it or takes
    it back."""
    draw = random.Random(f"{os.environ[SEED]} {number}")  # noqa: S311 - a draw of lots
    old = fleet.project.plan()["release"]
    set_environment(variant, "RELEASE_NOTE", f"killed {number}")
    with fleet.load() as seen:
        rolling = variant.slipway_begun("deploy", "lab", "--json")
        _turn(variant, rolling, draw.randint(1, 3))
        time.sleep(draw.uniform(0, 12))
        rolling.send_signal(signal.SIGKILL)
        rolling.wait(A_WHILE)
        takes_back = draw.random() < 0.3
        told = watched(variant, "abort" if takes_back else "deploy", "lab")
    print(f"then {'abort' if takes_back else 'deploy'}: {told.returncode}; {seen.told()}")
    assert told.returncode == 0 or (takes_back and "none was left unfinished" in told.stderr), told.stderr
    assert seen.failures == [], f"{seen.told()}\n{told.stderr}"
    wanted = old if takes_back and told.returncode == 0 else variant.plan()["release"]
    assert fleet.project.served() == {worker: {wanted} for worker in WORKERS}
    brought = fleet.project if wanted == old else variant
    assert brought.plan()["hosts"] == {}
    for edge in ("edge1", "edge2"):
        assert fleet.state(edge)["drained"] == {}
    # Nor does a schedule finish what a person has called off.
    said = brought.slipway("reconcile", "lab", "--mend", "drift").stdout
    assert "lab: clean: no differences" in said or "lab: mended: " in said, said
    assert fleet.project.served() == {worker: {wanted} for worker in WORKERS}


def _turn(variant: Variant, rolling: subprocess.Popen[str], number: int) -> None:
    """Waits until that batch has begun."""
    _event(variant, rolling, lambda event: event.get("what") == f"turn {number}")


def _event(variant: Variant, rolling: subprocess.Popen[str], is_it: Callable[[dict[str, str]], bool]) -> dict[str, str]:
    deadline = time.monotonic() + A_WHILE
    assert rolling.stdout
    for line in rolling.stdout:
        event: dict[str, str] = json.loads(line)
        if is_it(event):
            return event
        assert time.monotonic() < deadline
    raise AssertionError(f"it ended with {rolling.wait(A_WHILE)} before that: {variant.said}")
