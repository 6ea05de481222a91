"""The fleet that the scenarios of rollouts run on: two edges, three workers, and what a test asks of them."""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from tests.rollout.load import Edge, Failure, Seen, load
from tests.rollout.load.seen import HTTP2, KEEP_ALIVE, NEW, SLOW, SOCKET
from tests.stack.project import DemoProject, Variant

HOST = "demo.lab.test"
EDGES = ("edge1", "edge2")
WORKERS = ("worker1", "worker2", "worker3")
SERVICES = ("api", "ws", "worker", "scheduler")

SOCKETS_DRAIN_SECONDS = 3
"""How long a WebSocket of these scenarios may go on once its container was told to stop; the demo's own is 20 s."""

EDGE_DRAIN_SECONDS = 20
"""How long an nginx that was told to reload lets its old workers go on, in these scenarios; by default it is 30 s. On a
busy machine a request of 10 s took 14."""

LEAST_SECONDS = 15
"""A request of 10 s that began with the load has ended by then; it took 14 where much else went on."""

LEAST_RATE = 0.9
"""Part of the requests asked for that must have been made: less, and the load was not what the scenario is about."""


class Step(NamedTuple):
    """One step of a roll on one host, by `time.monotonic`."""

    began: float
    seconds: float
    host: str
    what: str
    subject: str

    @property
    def ended(self) -> float:
        return self.began + self.seconds


@dataclass(frozen=True)
class Told:
    """What a command with --json came to."""

    returncode: int
    events: Sequence[dict[str, Any]]
    stderr: str
    base: float
    """When its clock began, by `time.monotonic`."""

    @property
    def steps(self) -> list[Step]:
        """In the order in which they began."""
        return sorted(self._step(event) for event in self.events if event["kind"] == "step")

    def _step(self, event: dict[str, Any]) -> Step:
        details = event["details"]
        at, seconds = self.base + float(details["at"]), float(event.get("seconds", 0))
        return Step(at, seconds, str(event.get("host", "")), str(event["what"]), str(details.get("subject", "")))

    @property
    def errors(self) -> str:
        """What a person would have been told."""
        return "\n".join(str(line) for line in self.events[-1]["details"].get("errors", [])) if self.events else ""

    @property
    def batches(self) -> list[dict[str, Any]]:
        """Of every roll of the run, in order: number, hosts, seconds, overhead, at, outcome."""
        return [batch for event in self.events if event["kind"] == "roll-end" for batch in event["details"]["batches"]]


@dataclass(frozen=True)
class Fleet:
    """The hosts, and the project that was last deployed to them with success."""

    project: DemoProject

    @property
    def edges(self) -> list[Edge]:
        return [Edge(name, self.project.lab.address(name)) for name in EDGES]

    @contextmanager
    def load(self, **wanted: Any) -> Iterator[Seen]:
        """The whole load of the issue: 100 requests a second, slow ones, 50 WebSockets, over both edges."""
        with load(self.edges, HOST, self.project.lab.layout.tls / "ca.crt", **wanted) as seen:
            began = time.monotonic()
            yield seen
            # A run that stops early is over before the first of the slow requests is.
            time.sleep(max(0, LEAST_SECONDS - (time.monotonic() - began)))

    def state(self, edge: str) -> dict[str, Any]:
        """What an edge says of its traffic."""
        done = self.project.lab.exec(edge, ["/usr/local/sbin/slipway-edge", "state"])
        assert done.code == 0, done.stderr
        told: dict[str, Any] = json.loads(done.stdout)
        return told

    def admitted(self, edge: str) -> dict[str, dict[str, str]]:
        """Service to address to release, of every service that somebody was admitted to."""
        upstreams = self.state(edge)["upstreams"]
        return {
            name: {peer["address"]: peer["release"] for peer in each["admitted"]}
            for name, each in upstreams.items()
            if each.get("admitted") is not None
        }

    def containers(self, worker: str) -> list[str]:
        """Names of all containers of the stack there, stopped ones included."""
        words = ["docker", "ps", "--all", "--format", "{{.Names}}", "--filter", "label=slipway.stack=demo"]
        return sorted(self.project.lab.exec(worker, words).stdout.split())


def watched(project: DemoProject, *arguments: str) -> Told:
    """Runs a command with --json to its end and places its clock on ours."""
    events, base = [], time.monotonic()
    with tempfile.TemporaryFile("w+") as errors, _running(project, arguments, errors) as process:
        assert process.stdout
        for line in process.stdout:
            heard = time.monotonic()
            events.append(json.loads(line))
            # A line cannot be heard before it was said: the quickest one tells when the clock began.
            base = min(base, heard - events[-1]["at"]) if len(events) > 1 else heard - events[-1]["at"]
        process.wait()
        errors.seek(0)
        return Told(process.returncode, events, errors.read(), base)


def _running(project: DemoProject, arguments: Sequence[str], errors: Any) -> subprocess.Popen[str]:
    return project.slipway_begun(*arguments, "--json", stderr=errors)


def new_variant(project: DemoProject, path: Path) -> Variant:
    """A copy of the project to edit."""
    path.mkdir(parents=True)
    return Variant.of(project, path)


def set_order(variant: Variant, order: str) -> None:
    """start-first or stop-first for whatever the edges reach; forward and back."""
    with variant.compose() as document:
        for name in ("api", "ws"):
            for key in ("update_config", "rollback_config"):
                document["services"][name]["deploy"].setdefault(key, {})["order"] = order


def set_environment(variant: Variant, name: str, value: str) -> None:
    """The variable for every service of the application."""
    with variant.compose() as document:
        for service in SERVICES:
            document["services"][service]["environment"][name] = value


def assert_unnoticed(seen: Seen, told: Told, rate: float = 100, code: int = 0) -> None:
    """The exit code is that; no request failed; WebSockets ended at their drain limit; the load was whole."""
    report = reported(seen, told)
    print(report)
    assert told.returncode == code, report
    failures = [failure for failure in seen.failures if not _is_cut_in_time(failure, told.steps)]
    assert failures == [], report
    assert set(seen.kinds) == {KEEP_ALIVE, HTTP2, NEW, SLOW}, report
    assert seen.rate >= rate * LEAST_RATE, report
    assert seen.sockets.echoes > 0, report
    early = [ended for ended in seen.sockets.ended if not _is_due(ended.at, told.steps)]
    assert early == [], report


def _is_due(at: float, steps: Sequence[Step]) -> bool:
    """Whether a WebSocket that ended then had its drain time: some container was told to stop so long before, and had
    not stopped yet."""
    tolerance = 1.0  # of two cores that do all this at once
    stops = (step for step in steps if step.what == "stop" and "-ws-" in step.subject)
    return any(stop.began + SOCKETS_DRAIN_SECONDS - tolerance <= at <= stop.ended + tolerance for stop in stops)


def _is_cut_in_time(failure: Failure, steps: Sequence[Step]) -> bool:
    """Whether it is a WebSocket whose edge was reloaded, and that had its drain time since.

    An old worker of nginx cuts what is left then; it has no word for "come again".
    """
    reloads = (step for step in steps if step.host == failure.edge and "reload nginx" in step.subject)
    had_time = any(failure.at >= step.ended + EDGE_DRAIN_SECONDS for step in reloads)
    return had_time and failure.kind == SOCKET and failure.what.startswith("ended with 1006 ")


def reported(seen: Seen, told: Told) -> str:
    """What the clients saw, beside what the command did at that time."""
    return "\n".join(
        [seen.told(), timeline(told, seen.began), *map(str, told.batches), told.errors, told.stderr[-2000:]]
    )


def timeline(told: Told, began: float) -> str:
    """The steps, in seconds since the load began, to lay beside its failures."""
    return "\n".join(_lines(told, began))


def _lines(told: Told, began: float) -> Iterator[str]:
    for step in told.steps:
        first, last = step.began - began, step.ended - began
        yield f"  {first:7.2f} to {last:7.2f} s  {step.host:8} {step.what:8} {step.subject}"
