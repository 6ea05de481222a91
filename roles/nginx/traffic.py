"""Moves requests away from a host and back, on every edge, without a reload: what a rollout asks of the edges."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any

from pyinfra.api import QuoteString, StringCommand

from slipway.fleet import Member
from slipway.remote import Remote

COMMAND = "/usr/local/sbin/slipway-edge"
LEASE_SECONDS = 900
"""How much longer than its drain a host stays out when nobody takes it back: time to replace what runs there. After
that the edges take it back by themselves, whatever became of the controller."""
SPARE_SECONDS = 30
"""Beyond the time a command waits by itself: connecting, and an edge that is busy."""


class NotTakenBack(Exception):
    """An edge still holds a host out after it was told to take it back. Says which edge and which host."""


class EdgeTraffic:
    """The edges' traffic. A host is known by its private address; a drain takes out all peers at that address."""

    def drain(self, edges: Sequence[Remote], member: Member, seconds: int) -> None:
        """No new requests for the member from any edge; returns when those under way are done or `seconds` are over.

        Asked again for a member that is out, it renews its lease. Raises RemoteFailed where an edge cannot be told.
        """
        for edge in edges:
            _tell(edge, "drain", member.address, str(seconds + LEASE_SECONDS), f"rollout of {member.name}")
        until = time.monotonic() + seconds
        for edge in edges:
            left = max(0, round(until - time.monotonic()))
            _tell(edge, "wait", member.address, str(left), timeout=left + SPARE_SECONDS)

    def restore(self, edges: Sequence[Remote], member: Member) -> None:
        """The member gets requests again from every edge; each edge confirms it. Raises NotTakenBack, RemoteFailed."""
        for edge in edges:
            if member.address in _state(_tell(edge, "restore", member.address))["drained"]:
                raise NotTakenBack(f"{edge.name} still holds {member.name} ({member.address}) out")

    def inflight(self, edges: Sequence[Remote], member: Member) -> int:
        """Requests and WebSockets under way at the member, over all edges."""
        return sum(int(_tell(edge, "wait", member.address, "0")[-1]) for edge in edges)

    def drained(self, edge: Remote) -> dict[str, float]:
        """Who is out on this edge: address to seconds that are left."""
        held = _state(_tell(edge, "state"))["drained"]
        return {address: float(lease["left"]) for address, lease in held.items()}


def _tell(edge: Remote, *words: str, timeout: int = SPARE_SECONDS) -> list[str]:
    return edge.run(StringCommand(COMMAND, *(QuoteString(word) for word in words)), timeout=timeout)


def _state(output: list[str]) -> dict[str, Any]:
    state: dict[str, Any] = json.loads("\n".join(output))
    return state
