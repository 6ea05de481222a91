"""Until when a lease holds for certain, by the clock of whoever holds it. Pure."""

from __future__ import annotations

import time
from dataclasses import dataclass

ROUNDING = 1.0
"""Seconds: the host itself compares whole ones."""


def boot_seconds() -> float:
    """Seconds since this host started, its sleep included; as /proc/uptime says. Nobody sets this clock."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@dataclass(frozen=True)
class Term:
    """What was granted last."""

    asked_at: float
    """By `boot_seconds`, before it was asked for: the store began to count later."""
    seconds: float

    @property
    def ends(self) -> float:
        """Nobody else has it before then."""
        return self.asked_at + self.seconds - ROUNDING

    def begun_by(self, step_seconds: float) -> float:
        """By when a step has to have begun that takes so long, to be over before somebody else's may begin."""
        return self.ends - step_seconds


def seconds_for(step_seconds: float, margin: float) -> float:
    """For how long a lease is taken for a step that takes so long at most: whoever holds it may die, or stand still, at
    its beginning, and the step goes on without him."""
    return step_seconds + margin + ROUNDING
