"""What happens during a run, told to whoever listens: a terminal, a log, a program."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from slipway.rollout import Step


@dataclass(frozen=True)
class Event:
    """Something that happened."""

    kind: str
    """run-start, stage-start, host-start, operation-start, operation, host-end, stage-end, step, note, warning,
    failure, roll-end or run-end."""
    host: str = ""
    stage: str = ""
    what: str = ""
    """The operation's name, or the message."""
    outcome: str = ""
    """changed, unchanged, failed, skipped; empty where none belongs to it."""
    seconds: float = 0.0
    """How long it took, by a clock that nobody sets."""
    details: dict[str, Any] = field(default_factory=dict)


class Events:
    """Passes each event on to every listener, in the order in which they were added."""

    def __init__(self, *listeners: Callable[[Event], None]) -> None:
        self._listeners = list(listeners)
        self.began = time.monotonic()
        """When the run began, by a clock that nobody sets."""

    def tell(self, kind: str, **fields: Any) -> None:
        event = Event(kind, **fields)
        for listener in self._listeners:
            listener(event)

    def step(self, stage: str, host: str, step: Step, **details: Any) -> None:
        """Tells something that took its time on a host; its place in the run is in `details.at`, in seconds."""
        at = round(step.began - self.began, 3)
        told = {"at": at, "subject": step.subject, **details}
        self.tell("step", stage=stage, host=host, what=step.what, seconds=round(step.seconds, 3), details=told)
