"""What scripts on a host tell of their own steps, and how much of a batch's time was none of them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from slipway.rollout import Step

OVERHEAD_IS_NOT = frozenset({"drain", "stop", "start", "ready", "monitor", "delay", "wait"})
"""Steps that the containers and the policy need; the rest of a batch's time is ours."""


def steps_in(lines: Iterable[str], began: float) -> list[Step]:
    """`step NAME WHAT BEGAN ENDED` lines as steps; hundredths of a second since the host's start, `base` when it began.

    + began: when the command was sent, by the controller's clock
    """
    base, found = 0.0, []
    for words in (line.split() for line in lines):
        if words[:1] == ["base"] and len(words) == 2:
            base = float(words[1])
        elif words[:1] == ["step"] and len(words) == 5:
            first, last = float(words[3]), float(words[4])
            found.append(Step(words[2], words[1], began + (first - base) / 100, (last - first) / 100))
    return found


def is_told(line: str) -> bool:
    """Whether a line of output is for us and not for a person."""
    return line.startswith(("step ", "base "))


def overhead(steps: Sequence[Step], began: float, ended: float) -> float:
    """Seconds between the two in which none of the steps that have to be was under way."""
    spans = sorted((step.began, step.began + step.seconds) for step in steps if step.what in OVERHEAD_IS_NOT)
    idle, reached = 0.0, began
    for first, last in spans:
        idle += max(0.0, min(first, ended) - reached)
        reached = max(reached, last)
    return idle + max(0.0, ended - reached)
