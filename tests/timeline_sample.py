"""Events of runs as the engine tells them, with times that are made up: for tests, and to look at.

`python -m tests.timeline_sample NAME` prints the run's events as `slipway deploy --json` would.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from slipway.engine.events import Event

STAGE = "Roll the release"
OLD, NEW = "1a9b07c2d3e4", "4f2c1e88ab90"
LOG = """\
release 4f2c1e88ab90 is not ready after 60 s (GET /ready: 500); 1a9b07c2d3e4 still serves
  last lines of its log:
    relation "orders_v2" does not exist
    LINE 1: select id, total from orders_v2 where id = $1
  HINT: worker3 and worker4 were not touched. Fix forward, or: slipway rollback production"""


@dataclass
class Told:
    """A clock and everything told so far, each event with the time of its telling."""

    now: float = 0.0
    events: list[tuple[float, Event]] = field(default_factory=list)

    def tell(self, kind: str, **fields: Any) -> None:
        self.events.append((self.now, Event(kind, **fields)))

    def lines(self) -> list[str]:
        """What --json prints of them."""
        shown = ({**asdict(event), "at": round(at, 3)} for at, event in self.events)
        return [json.dumps({key: value for key, value in each.items() if value not in ("", {})}) for each in shown]

    def step(self, host: str, what: str, seconds: float, *, batch: int = 0, subject: str = "", **fields: Any) -> None:
        """A step that ends `seconds` from now; the clock goes there."""
        begun, self.now = self.now, self.now + seconds
        details = {"at": round(begun, 3), "subject": subject, **({"batch": batch} if batch else {})}
        self.tell("step", host=host, stage=STAGE, what=what, seconds=seconds, details=details, **fields)

    @contextmanager
    def stage(self, name: str, hosts: Sequence[str]) -> Iterator[None]:
        begun = self.now
        self.tell("stage-start", stage=name, details={"hosts": list(hosts)})
        yield
        self.tell("stage-end", stage=name, seconds=self.now - begun)

    def together(self, *doing: Callable[[], None]) -> None:
        """Each from now on, as on several hosts at once; told in the order of their ends."""
        begun, before, ends = self.now, len(self.events), []
        for each in doing:
            self.now = begun
            each()
            ends.append(self.now)
        self.now = max(ends)
        self.events[before:] = sorted(self.events[before:], key=lambda told: told[0])

    def begin(self, inventory: str = "production", release: str = NEW) -> None:
        details = {"inventory": inventory, "who": "kim@build1", "commit": "9f31c2d07a55", "release": release}
        self.tell("run-start", what="deploy", details={**details, "started": "2026-07-24T16:41:07+02:00"})

    def end(self, hosts: dict[str, dict[str, Any]], stopped_in: str = "", **more: Any) -> None:
        nothing = {"changed": 0, "unchanged": 31, "error": "", "seconds": 4.2}
        whole = {name: {**nothing, **each} for name, each in hosts.items()}
        changed = sum(each["changed"] for each in whole.values())
        details = {"hosts": whole, "changed": changed, "stopped_in": stopped_in, **more}
        self.tell("run-end", outcome="failed" if stopped_in else "", details=details)


def replace(
    told: Told, host: str, batch: int, services: Sequence[str] = ("web-1", "web-2"), *, slow: float = 1.0
) -> None:
    """A host's part of a batch, start-first, both containers side by side."""
    told.step(host, "gate", 0.31, batch=batch)
    told.together(*(lambda name=name: _container(told, host, f"shop-{name}", slow) for name in services))
    told.step(host, "admit", 0.12, batch=batch, subject="web")
    told.step(host, "drain", 2.4 * slow, batch=batch, subject="web")
    told.step(host, "stop", 0.8, subject="shop-web-1")


def _container(told: Told, host: str, name: str, slow: float) -> None:
    told.step(host, "start", 0.9 * slow, subject=name)
    told.step(host, "ready", 3.7 * slow + len(name) / 10, subject=name)
    told.step(host, "monitor", 5.0, subject=name)


def go_back(told: Told, host: str, batch: int) -> None:
    """What ran before serves again; the last of the steps says how long all of it took."""
    begun = told.now
    told.now += 0.3
    told.step(host, "start", 0.6, batch=batch, subject="shop-web-1")
    told.step(host, "ready", 2.4, batch=batch, subject="shop-web-1")
    told.step(host, "drain", 1.9, batch=batch)
    told.step(host, "stop", 0.7, batch=batch, subject="shop-web-1")
    took, told.now = told.now - begun, begun
    told.step(host, "back", took, batch=batch)


def batch_of(
    told: Told, number: int, hosts: Sequence[str], *doing: Callable[[], None], outcome: str = ""
) -> dict[str, Any]:
    begun = told.now
    told.together(*doing)
    told.now += 0.4
    spent = {"number": number, "hosts": list(hosts), "at": begun, "seconds": told.now - begun}
    return {**spent, "overhead": 0.4 + number / 100, "outcome": outcome}


def well(hosts: Sequence[str] = ("worker1", "worker2", "worker3")) -> Told:
    """A release on these hosts, one after the other."""
    told = Told()
    told.begin()
    told.now = 3.1
    with told.stage("Converge", ["edge1", "edge2", *hosts]):
        told.now += 12.6
    with told.stage("Migrate", hosts[:1]):
        told.now += 4.4
    with told.stage(STAGE, hosts):
        batches = []
        for number, host in enumerate(hosts, 1):
            slow = 1 + number / 3
            batches.append(batch_of(told, number, [host], lambda h=host, n=number, s=slow: replace(told, h, n, slow=s)))
            if host != hosts[-1]:
                told.step(hosts[number], "delay", 2.0)
        told.together(*(lambda host=host: told.step(host, "seal", 0.35) for host in hosts))
        told.tell("roll-end", stage=STAGE, details={"batches": batches, "release": NEW, "before": OLD})
    told.end({"edge1": {}, "edge2": {}, **{host: {"changed": 3, "seconds": 17.25} for host in hosts}})
    return told


def bad() -> Told:
    """The second batch's release never becomes ready: it goes back, and so does the host that had moved."""
    told, hosts = Told(), ["worker1", "worker2", "worker3", "worker4"]
    told.begin()
    told.now = 3.0
    with told.stage("Converge", ["edge1", *hosts]):
        told.now += 11.0
    told.tell("stage-start", stage=STAGE, details={"hosts": hosts})
    batches = [batch_of(told, 1, ["worker1"], lambda: replace(told, "worker1", 1))]
    batches.append(batch_of(told, 2, ["worker2"], lambda: _not_ready(told, "worker2", 2), outcome="failed"))
    go_back(told, "worker1", 1)
    told.tell("roll-end", stage=STAGE, details={"batches": batches, "release": NEW, "before": OLD})
    told.tell("stage-end", stage=STAGE, outcome="failed", seconds=told.now - 14)
    results = {host: {} for host in ("edge1", "worker3", "worker4")}
    results |= {"worker1": {"changed": 3}, "worker2": {"changed": 1, "error": LOG}}
    told.end(results, STAGE, untouched=["worker3", "worker4"], taken_back=["worker1"])
    return told


def _not_ready(told: Told, host: str, batch: int) -> None:
    told.step(host, "gate", 0.3, batch=batch)
    told.step(host, "start", 1.1, subject="shop-web-1")
    told.step(host, "ready", 60.0, subject="shop-web-1")
    told.tell("failure", host=host, stage=STAGE, what=LOG.partition("\n")[0])
    go_back(told, host, batch)


def killed() -> Told:
    """The controller is gone in the second batch; so is half of the last line."""
    told = well()
    cut = next(number for number, (_, event) in enumerate(told.events) if event.details.get("batch") == 2)
    told.events[cut + 5 :] = []
    return told


def large(hosts: int = 50, steps: int = 40) -> Told:
    """Many hosts with many steps each, in batches of ten."""
    told, names = Told(), [f"worker{number:02d}.shop.example.com" for number in range(1, hosts + 1)]
    told.begin()
    with told.stage(STAGE, names):
        batches = []
        for number, start in enumerate(range(0, hosts, 10), 1):
            mine = names[start : start + 10]
            doing = [lambda host=host, number=number: _many(told, host, number, steps) for host in mine]
            batches.append(batch_of(told, number, mine, *doing))
        told.tell("roll-end", stage=STAGE, details={"batches": batches, "release": NEW, "before": OLD})
    told.end({name: {"changed": steps} for name in names})
    return told


def _many(told: Told, host: str, batch: int, steps: int) -> None:
    kinds = ("gate", "drain", "stop", "start", "ready", "monitor", "admit", "seal")
    for index in range(steps):
        subject = f"shop-service{index // len(kinds)}-{index % 5 + 1}"
        took = 0.2 + (index * 37 + int(host[6:8]) * 11) % 23 / 10
        told.step(host, kinds[index % len(kinds)], took, batch=batch, subject=subject)


RUNS = {"well": well, "bad": bad, "killed": killed, "large": large}

if __name__ == "__main__":
    print("\n".join(RUNS[sys.argv[1]]().lines()))
