"""A run that dies anywhere is finished by the next one, which ends where a run that nothing interrupts would have.

Generated from the code: whatever remote calls a deploy has, each of them is one at which it dies.
"""

from __future__ import annotations

import os
import random

import pytest

from tests.conftest import SEED, WHOLE
from tests.faults.sweep import Strike, Sweep

pytestmark = pytest.mark.hosts

SAMPLE = 1
"""Deaths in a sampled run: each costs three deploys, half a minute to a minute."""

SERVERS = ("docker", "nginx", "redis-server", "postgresql@17-main")


def test_a_deploy_that_is_killed_at_a_remote_call_is_finished_by_the_next(sweep: Sweep) -> None:
    """Before it and 30 ms into it: the next run ends where an unbroken one ends, and the one after changes nothing."""
    faults = [fault for death in deaths(sweep) for fault in tried(sweep, death)]
    assert faults == []


def tried(sweep: Sweep, death: Strike) -> list[str]:
    """What is wrong after one death. Says how it went: the whole sweep takes hours."""
    faults = sweep.killed(death)
    print(f"killed {death.when} call {death.number} of {len(sweep.calls['B'])}: {faults or 'as unbroken'}", flush=True)
    return faults


def deaths(sweep: Sweep) -> list[Strike]:
    """Every one on demand, else a few."""
    changing = [call["number"] for call in sweep.changing()]
    if os.environ.get(WHOLE):
        numbers = range(1, len(sweep.calls["B"]) + 1)
        return [Strike(when, number) for number in numbers for when in ("before", "during")]
    draw = random.Random(os.environ[SEED])  # noqa: S311 - a draw of lots, not a secret
    return [Strike("during", number) for number in draw.sample(changing, SAMPLE)]


@pytest.mark.sample("accidents on the house", 1)
def test_a_host_that_reboots_in_the_middle_is_told_comes_back_and_is_brought_to_the_same(sweep: Sweep) -> None:
    """Its power goes at a changing call: exit 1 names it; its servers run again by themselves; a run mends all."""
    house = sweep.house
    draw = random.Random(os.environ[SEED])  # noqa: S311 - a draw of lots, not a secret
    number = draw.choice(sweep.changing())["number"]
    sweep.go("A")

    def reboot() -> None:
        house.lab.cut_power(house.host)
        house.lab.start(house.host)

    done = sweep.interrupted(Strike("during", number), reboot)
    assert (done.returncode, house.host in done.stdout) == (1, True), done.stdout
    assert house.told(f"systemctl is-active {' '.join(SERVERS)}").split() == ["active"] * len(SERVERS)
    assert list(sweep.finished()) == []
