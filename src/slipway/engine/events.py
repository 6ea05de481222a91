"""What happens during a run, told to whoever listens: a terminal, a log, a program."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Event:
    """Something that happened."""

    kind: str
    """stage-start, host-start, operation-start, operation, host-end, stage-end, note, failure or run-end."""
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

    def tell(self, kind: str, **fields: Any) -> None:
        event = Event(kind, **fields)
        for listener in self._listeners:
            listener(event)
