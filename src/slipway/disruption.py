"""What an operation takes out of service for a while. It says so before its first command; the engine then decides when
its turn is, sends requests elsewhere, and lets it go on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from pyinfra import host
from pyinfra.api.state import StateStage

from slipway.rollout import Canary, Peer


@dataclass(frozen=True)
class Disruption:
    """What is not to be had while an operation's commands run, and what is to be had afterwards."""

    subject: str
    """What it is about, for the timeline: containers, a unit."""
    drain: tuple[str, ...] = ()
    """Targets (a host's address, or address:port) that get no new requests before the first command."""
    drain_seconds: float = 0
    """Longest time that requests under way get there."""
    seconds: float = 60
    """Longest time that the commands take; the drain's lease holds for as long, should we die."""
    admit_first: tuple[Peer, ...] = ()
    """Peers that get requests before anything is drained."""
    admit: tuple[Peer, ...] = ()
    """Peers that get requests after the last command."""
    dismiss: tuple[str, ...] = ()
    """Addresses (with port) that are peers no longer, after that."""
    canary: Canary | None = None
    """The share of sessions that the admitted peers get; None is all that come to them."""
    takes: Mapping[str, int] = field(default_factory=dict)
    """Service to the number of replicas of it that do not serve meanwhile."""
    adds_memory: int = 0
    """Bytes that old and new together take more than the old ones alone."""
    adds_replicas: Mapping[str, int] = field(default_factory=dict)
    """Service to the number of replicas of it that run besides, for a while."""
    needs_ports: tuple[str, ...] = ()
    """Addresses with port of the host that nothing else may hold."""
    is_confirmed: bool = False
    """Whether it counts only once a new connection from outside has confirmed it."""
    needs_turn: bool = True
    """Whether it takes anything from anybody; where it does not, no turn is waited for."""


class TurnNeeded(Exception):
    """The operation would take something out of service, and it is not this host's turn yet. Nothing was changed."""


class Left(Exception):
    """A host that converges itself cannot do this alone, or not now. Says why; nothing was changed."""


class NotNow(Exception):
    """The fleet cannot bear it now. Says why; nothing was changed."""


Handler = Callable[[Disruption], None]
_KEY = "slipway_disruption_handler"


def disrupts(disruption: Disruption) -> None:
    """Called by an operation before its first command, when what it takes out may be in service now.

    Returns when it may go on. May raise TurnNeeded, or RemoteFailed where the traffic could not be moved.
    """
    handler: Handler | None = host.connector_data.get(_KEY)
    if handler is not None and host.state.current_stage == StateStage.Execute:
        handler(disruption)


def handle_disruptions(some_host: object, handler: Handler | None) -> None:
    """Who is asked before an operation on this host takes anything out of service; None lets them do as they like."""
    some_host.connector_data[_KEY] = handler  # type: ignore[attr-defined]  # a pyinfra host
