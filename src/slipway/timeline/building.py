"""From the events of a run to its picture. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from slipway.timeline.picture import FORMAT, UNFINISHED, Batch, Failure, HostRecord, Picture, StageRecord, Step

Event = Mapping[str, Any]
"""An event as `--json` prints it: the fields of slipway.engine.events.Event, and `at`."""
Details = Mapping[str, Any]


def picture_of(lines: Iterable[str]) -> Picture:
    """The picture of a run from what `--json` printed. A line that is no event, or only half of one, is left out."""
    return pictured(event for line in lines if (event := _event(line)))


def pictured(events: Iterable[Event]) -> Picture:
    """The picture of a run from its events, in the order in which they were told."""
    builder = _Builder()
    for event in events:
        builder.add(event)
    return builder.picture()


def _event(line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) and "kind" in found else {}


@dataclass
class _Stage:
    begun: float = 0.0
    hosts: list[str] = field(default_factory=list)
    outcome: str = UNFINISHED
    seconds: float = 0.0
    steps: list[Step] = field(default_factory=list)
    batches: list[Batch] = field(default_factory=list)

    def record(self, name: str, until: float) -> StageRecord:
        batches = self.batches or _batches_of(self.steps, self.outcome)
        rest = dict.fromkeys(step.host for step in self.steps if step.host and step.host not in self.hosts)
        hosts = (*self.hosts, *rest)
        took = round(until - self.begun, 3) if self.outcome == UNFINISHED else self.seconds
        return StageRecord(name, hosts, self.outcome, took, tuple(self.steps), tuple(batches))


@dataclass
class _Builder:
    """Takes in one event after the other; order is all that it needs of them, apart from each step's own times."""

    stages: dict[str, _Stage] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    start: dict[str, Any] = field(default_factory=dict)
    end: dict[str, Any] = field(default_factory=dict)
    release: str = ""
    before: str = ""
    what: str = ""
    outcome: str = UNFINISHED
    seconds: float = 0.0

    def add(self, event: Event) -> None:
        self.seconds = max(self.seconds, round(float(event.get("at", 0.0)), 3))
        handle = _HANDLERS.get(event["kind"])
        if handle:
            handle(self, event, event.get("details", {}))

    def run_start(self, event: Event, details: Details) -> None:
        self.what, self.start = event.get("what", ""), dict(details)

    def stage_start(self, event: Event, details: Details) -> None:
        stage = self._stage(event)
        stage.hosts, stage.begun = list(details.get("hosts", ())), float(event.get("at", 0.0))

    def stage_end(self, event: Event, details: Details) -> None:
        stage = self._stage(event)
        stage.outcome, stage.seconds = event.get("outcome", ""), _seconds(event)

    def step(self, event: Event, details: Details) -> None:
        took = _seconds(event)
        at = round(float(details.get("at", float(event.get("at", 0.0)) - took)), 3)
        what, subject = event.get("what", ""), details.get("subject", "")
        batch, outcome = int(details.get("batch") or 0), event.get("outcome", "")
        self._stage(event).steps.append(Step(event.get("host", ""), what, subject, at, took, batch, outcome))

    def roll_end(self, event: Event, details: Details) -> None:
        self._stage(event).batches = [_batch(each) for each in details.get("batches", ())]
        self.release, self.before = details.get("release") or self.release, details.get("before") or self.before

    def failure(self, event: Event, details: Details) -> None:
        if event["kind"] == "failure" or event.get("outcome") == "failed":
            host, stage = event.get("host", ""), event.get("stage", "")
            steps = self.stages[stage].steps if stage in self.stages else []
            ended = [round(step.end, 3) for step in steps if step.host == host]
            self.failures.append(Failure(host, stage, event.get("what", ""), max(ended, default=None)))

    def run_end(self, event: Event, details: Details) -> None:
        self.outcome, self.end = event.get("outcome", ""), dict(details)

    def _stage(self, event: Event) -> _Stage:
        return self.stages.setdefault(event.get("stage", ""), _Stage())

    def picture(self) -> Picture:
        return Picture(
            format=FORMAT,
            what=self.what,
            **{key: self.start.get(key, "") for key in ("inventory", "who", "commit", "started")},
            seconds=self.seconds,
            outcome=self.outcome,
            stopped_in=self.end.get("stopped_in", ""),
            aborted=self.end.get("aborted", ""),
            release=self.release or self.start.get("release", ""),
            before=self.before,
            changed=self.end.get("changed", 0),
            stages=tuple(stage.record(name, self.seconds) for name, stage in self.stages.items()),
            hosts=tuple(self._hosts()),
            failures=tuple(self._failures()),
        )

    def _ended(self) -> list[tuple[str, Details]]:
        """What became of each host, in the order of the stages: one that JSON has been through is by name."""
        order = {name: number for number, name in enumerate(self._names())}
        hosts: Mapping[str, Details] = self.end.get("hosts", {})
        return sorted(hosts.items(), key=lambda entry: (order.get(entry[0], len(order)), entry[0]))

    def _names(self) -> Iterable[str]:
        return dict.fromkeys(name for stage in self.stages.values() for name in stage.hosts)

    def _hosts(self) -> Iterable[HostRecord]:
        for name, host in self._ended():
            yield HostRecord(
                name, self._outcome(name, host), host["changed"], host["unchanged"], round(host["seconds"], 3)
            )

    def _outcome(self, name: str, host: Details) -> str:
        if host["error"]:
            return "failed"
        if name in self.end.get("taken_back", ()):
            return "taken back"
        if name in self.end.get("untouched", ()):
            return "not reached"
        return "changed" if host["changed"] else "unchanged"

    def _failures(self) -> Iterable[Failure]:
        """Each host's error at the end of the run, which has every word; before it what only an event told."""
        errors = {name: host["error"] for name, host in self._ended() if host["error"]}
        for failure in self.failures:
            if failure.text not in errors.get(failure.host, ""):
                yield failure
        for host, text in errors.items():
            told = [failure for failure in self.failures if failure.host == host]
            stage = told[0].stage if told else self.end.get("stopped_in", "")
            yield Failure(host, stage, text, told[0].at if told else None)


_HANDLERS: dict[str, Callable[[_Builder, Event, Details], None]] = {
    "run-start": _Builder.run_start,
    "stage-start": _Builder.stage_start,
    "stage-end": _Builder.stage_end,
    "step": _Builder.step,
    "roll-end": _Builder.roll_end,
    "operation": _Builder.failure,
    "failure": _Builder.failure,
    "run-end": _Builder.run_end,
}


def _seconds(told: Details) -> float:
    return round(float(told.get("seconds", 0.0)), 3)


def _batch(told: Details) -> Batch:
    overhead = told.get("overhead")
    return Batch(
        number=int(told["number"]),
        hosts=tuple(told.get("hosts", ())),
        at=round(float(told.get("at", 0.0)), 3),
        seconds=_seconds(told),
        overhead=None if overhead is None else round(float(overhead), 3),
        outcome=told.get("outcome", ""),
    )


def _batches_of(steps: Iterable[Step], outcome: str) -> list[Batch]:
    """The batches as the steps name them, where no end of a roll does; the last one is all that is unfinished."""
    by_number: dict[int, list[Step]] = {}
    for step in steps:
        if step.batch and step.host:
            by_number.setdefault(step.batch, []).append(step)
    last = max(by_number, default=0)
    return [_spanned(number, mine, outcome if number == last else "") for number, mine in sorted(by_number.items())]


def _spanned(number: int, steps: list[Step], outcome: str) -> Batch:
    at = min(step.at for step in steps)
    hosts = tuple(dict.fromkeys(step.host for step in steps))
    return Batch(number, hosts, at, round(max(step.end for step in steps) - at, 3), None, outcome)
