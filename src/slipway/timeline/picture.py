"""A run as it can be drawn: its stages, batches, steps of hosts, outcomes and failures."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

FORMAT = 1
"""Of the JSON; goes up when a field changes its meaning or goes away."""

UNFINISHED = "unfinished"


@dataclass(frozen=True)
class Step:
    """What one host was at for a while. Seconds count from the beginning of the run."""

    host: str
    """Empty for what the whole fleet waited for."""
    what: str
    """drain, stop, start, ready, monitor, admit, seal, revert, gate, delay, wait, ..."""
    subject: str
    """Container or unit; empty where it is the host itself."""
    at: float
    seconds: float
    batch: int
    """0 where it belongs to none."""
    outcome: str
    """failed, or empty."""

    @property
    def end(self) -> float:
        return self.at + self.seconds


@dataclass(frozen=True)
class Batch:
    """Hosts that went together."""

    number: int
    hosts: tuple[str, ...]
    at: float
    seconds: float
    overhead: float | None
    """Seconds beyond what its containers needed; None where the run ended before it was known."""
    outcome: str

    @property
    def end(self) -> float:
        return self.at + self.seconds


@dataclass(frozen=True)
class StageRecord:
    """One stage of the run."""

    name: str
    hosts: tuple[str, ...]
    outcome: str
    """failed, unfinished, or empty where it went well."""
    seconds: float
    steps: tuple[Step, ...]
    batches: tuple[Batch, ...]


@dataclass(frozen=True)
class HostRecord:
    """What became of one host in the whole run."""

    name: str
    outcome: str
    """failed, taken back, not reached, changed or unchanged."""
    changed: int
    unchanged: int
    seconds: float


@dataclass(frozen=True)
class Failure:
    """What failed, in the words that the run told."""

    host: str
    stage: str
    text: str
    at: float | None
    """When, where steps say it."""


@dataclass(frozen=True)
class Picture:
    """A whole run."""

    format: int
    what: str
    """deploy, rollback, ..."""
    inventory: str
    who: str
    commit: str
    started: str
    """ISO 8601, with its zone."""
    seconds: float
    outcome: str
    """failed, unfinished, or empty where it went well."""
    stopped_in: str
    """Stage in which it stopped."""
    aborted: str
    """Who asked for the way back; empty where nobody did."""
    release: str
    before: str
    """Release that served before; empty where none did, or where nothing says so."""
    changed: int
    stages: tuple[StageRecord, ...]
    hosts: tuple[HostRecord, ...]
    failures: tuple[Failure, ...]


def as_json(picture: Picture) -> str:
    """The picture for programs."""
    return json.dumps(asdict(picture), indent=1) + "\n"
