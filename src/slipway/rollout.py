"""How a rollout goes through the hosts: its policy, and what it asks of the traffic in front of them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from slipway.fleet import Member
    from slipway.remote import Remote

T = TypeVar("T")


@dataclass(frozen=True)
class RollPolicy:
    """How many hosts at once, how long between batches, how long requests may finish."""

    parallelism: int = 1
    """Hosts in one batch; 0 is all of them, as in the Compose specification."""
    delay: float = 0
    """Seconds between batches."""
    drain_seconds: int = 30
    """Longest time that requests in flight get before the host is touched."""


class Traffic(Protocol):
    """What stands in front of the hosts of a rollout and can send requests elsewhere."""

    def drain(self, edges: Sequence[Remote], member: Member, seconds: int) -> None:
        """No new requests for the member from any edge; returns when those in flight are done or `seconds` are over."""

    def restore(self, edges: Sequence[Remote], member: Member) -> None:
        """The member gets requests again from every edge."""


def batches(items: Sequence[T], parallelism: int) -> list[list[T]]:
    """The items in order, in groups of `parallelism`; 0 means all at once."""
    size = parallelism or max(len(items), 1)
    return [list(items[start : start + size]) for start in range(0, len(items), size)]
