"""How a rollout goes through the hosts: its policy, and what it asks of the traffic in front of them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol, TypeVar

if TYPE_CHECKING:
    from slipway.context import Context
    from slipway.remote import Remote

T = TypeVar("T")


@dataclass(frozen=True)
class RollPolicy:
    """How a rollout goes through its hosts; the words are the Compose specification's. Durations in seconds."""

    parallelism: int = 1
    """Hosts in one batch; 0 is all of them."""
    delay: float = 0
    """Between two batches."""
    drain_seconds: float = 30
    """Longest time that requests under way get before what answers them is touched."""
    failure_action: Literal["pause", "continue", "rollback"] = "pause"
    """What follows a failed batch: stop there, go on with the next, or stop and take the hosts that had moved back."""
    max_failure_ratio: float = 0
    """Share of the hosts that may fail without failing the roll."""
    first_alone: bool = False
    """Whether the first host goes alone and the rest wait for a word."""
    promote_after: float | None = None
    """When the rest follows by itself; None waits for the word."""
    deadline: float = 600
    """How long one batch may take."""


@dataclass(frozen=True)
class Peer:
    """One address behind the edges that requests of a service go to."""

    upstream: str
    """The service."""
    address: str
    """Address and port of the host, such as 10.77.0.21:18000."""
    release: str
    """The release that answers there."""


@dataclass(frozen=True)
class Canary:
    """A share of sessions for one release, as long as two stand side by side."""

    release: str
    weight: int
    """Percent of the sessions that go to it."""
    by: Literal["cookie", "header", "address"] = "cookie"
    """What makes requests one session: the edge's own cookie, a header's value, or the client's address."""
    name: str = ""
    """The header's name."""


@dataclass(frozen=True)
class Admission:
    """Who gets requests from one edge, as that edge says."""

    upstreams: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Service to address:port to the release that was admitted there. A service that nobody was ever admitted to is
    not among them."""
    canaries: Mapping[str, Canary] = field(default_factory=dict)
    """By service."""
    drained: Mapping[str, float] = field(default_factory=dict)
    """Host or address:port to the seconds that are left of its drain."""

    def is_left_alone(self, service: str, targets: Sequence[str]) -> bool:
        """Whether a service has other peers than these targets, and all of them are drained."""
        others = [address for address in self.upstreams[service] if not is_among(address, targets)]
        is_asked = len(others) < len(self.upstreams[service])
        return is_asked and bool(others) and all(is_among(address, self.drained) for address in others)


class Traffic(Protocol):
    """What stands in front of the hosts of a rollout and decides who of them gets requests.

    Every edge is told at the same time. A target is a host's address, or address:port. Raises RemoteFailed naming the
    edge that could not be told.
    """

    def drain(self, edges: Sequence[Remote], targets: Sequence[str], seconds: float, lease: float, reason: str) -> None:
        """No new requests for the targets; returns when those under way are done or `seconds` are over.

        After `lease` seconds the edges take them back by themselves, whatever became of us.
        """

    def restore(self, edges: Sequence[Remote], targets: Sequence[str]) -> None:
        """The targets are drained no longer."""

    def admit(self, edges: Sequence[Remote], peers: Sequence[Peer], seconds: float) -> None:
        """The peers get requests, once each edge itself has had an answer from them within `seconds`."""

    def dismiss(self, edges: Sequence[Remote], addresses: Sequence[str]) -> None:
        """These addresses (with port) get no new requests any more; what is under way goes on."""

    def share(self, edges: Sequence[Remote], upstreams: Sequence[str], canary: Canary | None) -> None:
        """From now on the canary's share of sessions goes to its release; None sends everybody to whoever is there."""

    def admitted(self, edge: Remote) -> Admission:
        """Who gets requests from this edge now."""


@dataclass(frozen=True)
class Edges:
    """The edges in front of a rollout's hosts, all told together. Without any, nothing is told to anybody."""

    traffic: Traffic | None = None
    remotes: tuple[Remote, ...] = ()

    def drain(self, targets: Sequence[str], seconds: float, lease: float, reason: str) -> None:
        if self._are_asked(targets) and self.traffic:
            self.traffic.drain(self.remotes, targets, seconds, lease, reason)

    def restore(self, targets: Sequence[str]) -> None:
        if self._are_asked(targets) and self.traffic:
            self.traffic.restore(self.remotes, targets)

    def admit(self, peers: Sequence[Peer], seconds: float = 10) -> None:
        if self._are_asked(peers) and self.traffic:
            self.traffic.admit(self.remotes, peers, seconds)

    def dismiss(self, addresses: Sequence[str]) -> None:
        if self._are_asked(addresses) and self.traffic:
            self.traffic.dismiss(self.remotes, addresses)

    def share(self, upstreams: Sequence[str], canary: Canary | None) -> None:
        if self._are_asked(upstreams) and self.traffic:
            self.traffic.share(self.remotes, upstreams, canary)

    def nobody_else(self, targets: Sequence[str]) -> list[str]:
        """Services of which nobody would be left to get requests, although others than these targets are peers."""
        asked = self._are_asked(targets) and self.traffic is not None
        found = [self.traffic.admitted(edge) for edge in self.remotes] if asked and self.traffic else []
        return sorted({name for each in found for name in each.upstreams if each.is_left_alone(name, targets)})

    def end_canaries(self) -> None:
        """No release shares the sessions of a service with another one any more."""
        for edge in self.remotes if self.traffic else ():
            shared = sorted(self.traffic.admitted(edge).canaries) if self.traffic else []
            self.share(shared, None)

    def _are_asked(self, what: Sequence[object]) -> bool:
        return bool(what) and bool(self.remotes)


@dataclass(frozen=True)
class Load:
    """What an operation on one host is about to take away and to add; a gate says whether the fleet can bear it."""

    takes: Mapping[str, int]
    """Service to replicas that will not serve."""
    adds_replicas: Mapping[str, int]
    """Service to replicas that run besides."""
    adds_memory: int
    """Bytes that these take."""
    needs_ports: tuple[str, ...]
    """Addresses with port of the host that nothing else may hold."""


@dataclass(frozen=True)
class Rolling:
    """How what a role brings goes through its hosts."""

    policy: Callable[[Context], RollPolicy]
    gate: Callable[[Mapping[str, Remote], str, Load, Context], Sequence[str]]
    """Why the named host may not be touched now, asked of all hosts of the run at that moment; empty where it may."""
    back: Callable[[Remote, Context, Edges], Sequence[Step]]
    """The host serves what it served before the rollout. Again and again has the effect of once; what it did is told.
    Raises RemoteFailed."""


@dataclass(frozen=True)
class Step:
    """Something that took its time on a host."""

    what: str
    """drain, stop, start, ready, monitor, ..."""
    subject: str
    began: float
    """By the controller's clock that nobody sets."""
    seconds: float


DRAIN_REASON = "rollout: "
"""How the reason of each drain of ours begins."""


def is_among(address: str, targets: Collection[str]) -> bool:
    """Whether an address:port is one of the targets, or its host is."""
    return address in targets or address.rpartition(":")[0] in targets


def batches(items: Sequence[T], parallelism: int) -> list[list[T]]:
    """The items in order, in groups of `parallelism`; 0 means all at once."""
    size = parallelism or max(len(items), 1)
    return [list(items[start : start + size]) for start in range(0, len(items), size)]
