"""What the clients saw, and the questions that tests ask of it. Times are `time.monotonic`, in seconds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

KEEP_ALIVE, HTTP2, NEW, SLOW, SOCKET = "keep-alive", "http2", "new", "slow", "websocket"
"""The kinds of clients."""


class Answer(NamedTuple):
    """One request that was answered as it should be."""

    at: float
    """When it was sent."""
    kind: str
    edge: str
    release: str
    """Which release answered; empty where the answer does not say."""
    seconds: float


class Failure(NamedTuple):
    """One request, or one WebSocket, that failed."""

    at: float
    """When it failed."""
    kind: str
    edge: str
    what: str
    seconds: float
    """How long before that it was sent."""


class Ended(NamedTuple):
    """A WebSocket that the other side closed in order, with the code for "come again"."""

    at: float
    edge: str
    code: int
    age: float


@dataclass
class Sockets:
    """What became of the WebSockets."""

    opened: int = 0
    echoes: int = 0
    ended: list[Ended] = field(default_factory=list)


@dataclass
class Seen:
    """Everything that the clients saw; filled when the load has ended."""

    began: float = 0
    ended: float = 0
    answers: list[Answer] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    sockets: Sockets = field(default_factory=Sockets)
    connections: Counter[str] = field(default_factory=Counter)
    """Connections opened, by kind."""
    retries: int = 0
    """HTTP/2 streams that the edge had not begun on, and were sent again as RFC 9113 (section 8.7) allows."""
    late: Counter[str] = field(default_factory=Counter)
    """Requests that were not sent, by kind: all clients of that kind still waited for answers."""
    cpu_seconds: float = 0
    """What the load itself took of this machine."""
    is_cut_short: bool = False
    """Whether it ended because its time was over, before it was told to."""

    @property
    def seconds(self) -> float:
        return self.ended - self.began

    @property
    def kinds(self) -> Counter[str]:
        """Answers by kind."""
        return Counter(answer.kind for answer in self.answers)

    @property
    def rate(self) -> float:
        """Answers a second, of all but the slow requests."""
        count = sum(answer.kind != SLOW for answer in self.answers)
        return count / self.seconds if self.seconds > 0 else 0.0

    @property
    def releases(self) -> list[str]:
        """Each release, in the order in which it was first met."""
        return list(dict.fromkeys(answer.release for answer in sorted(self.answers)))

    @property
    def slowest(self) -> dict[str, float]:
        """The longest time that an answer took, by kind."""
        found: dict[str, float] = {}
        for answer in self.answers:
            found[answer.kind] = max(found.get(answer.kind, 0), answer.seconds)
        return found

    def releases_over_time(self, step: float = 1.0) -> list[tuple[float, Counter[str]]]:
        """For each `step` seconds, from when the load began: the seconds since then, and the answers by release."""
        found: dict[int, Counter[str]] = {}
        for answer in self.answers:
            found.setdefault(int((answer.at - self.began) / step), Counter())[answer.release] += 1
        return [(number * step, found[number]) for number in sorted(found)]

    def between(self, began: float, ended: float) -> Seen:
        """What was sent (answers) and what ended (failures, WebSockets) in that time; the totals are not divided."""
        sockets = replace(self.sockets, ended=_within(self.sockets.ended, began, ended))
        answers, failures = _within(self.answers, began, ended), _within(self.failures, began, ended)
        return replace(self, began=began, ended=ended, answers=answers, failures=failures, sockets=sockets)

    def told(self) -> str:
        """A few lines for people: rates, counts, and the first failures."""
        lines = [
            f"{self.rate:.1f} answers/s over {self.seconds:.0f} s: {_list(self.kinds)}; failures: {len(self.failures)}",
            f"slowest: {_list({kind: f'{seconds:.2f} s' for kind, seconds in self.slowest.items()})}",
            f"connections: {_list(self.connections)}; retries: {self.retries}; not sent: {_list(self.late)}",
            f"WebSockets: {self.sockets.opened} opened, {len(self.sockets.ended)} ended, {self.sockets.echoes} echoes",
            f"the load itself: {self.cpu_seconds:.1f} s of CPU, {self.cpu_seconds / max(self.seconds, 0.001):.0%}",
        ]
        return "\n".join([*lines, *(self._line(failure) for failure in sorted(self.failures)[:20])])

    def _line(self, failure: Failure) -> str:
        at, sent = failure.at - self.began, failure.seconds
        return f"  {at:.2f} s {failure.edge} {failure.kind}: {failure.what} (sent {sent:.3f} s before)"

    def as_json(self) -> dict[str, Any]:
        return {**vars(self), "sockets": vars(self.sockets)}

    def fill(self, told: Mapping[str, Any]) -> None:
        """Takes over what another process said with `as_json`."""
        read: dict[str, Any] = dict(told)
        read["answers"] = [Answer(*each) for each in told["answers"]]
        read["failures"] = [Failure(*each) for each in told["failures"]]
        read["connections"], read["late"] = Counter(told["connections"]), Counter(told["late"])
        read["sockets"] = Sockets(**{**told["sockets"], "ended": [Ended(*each) for each in told["sockets"]["ended"]]})
        self.__dict__.update(read)


def _within(found: Iterable[Any], began: float, ended: float) -> list[Any]:
    return [each for each in found if began <= each.at < ended]


def _list(found: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in sorted(found.items())) or "none"
