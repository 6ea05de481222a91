"""Moves requests between peers on every edge at once, without a reload: what a rollout asks of the edges."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Sequence
from typing import Any

import gevent
from pyinfra.api import QuoteString, StringCommand

from slipway.facts.files import script
from slipway.remote import Remote, RemoteFailed
from slipway.rollout import Admission, Canary, Peer

COMMAND = "/usr/local/sbin/slipway-edge"
SPARE_SECONDS = 30
"""Beyond the time a command waits by itself: connecting, and an edge that is busy."""
_DRAIN = '"$1" drain "$2" "$3" "$4" && "$1" wait "$2" "$5"'


class EdgeTraffic:
    """The edges' traffic: the Protocol `slipway.rollout.Traffic`.

    Every edge is told in one remote command, all edges at the same time. Where one of them cannot be told, the others
    have been: to say the same again, or to take it back, is safe.
    """

    def drain(self, edges: Sequence[Remote], targets: Sequence[str], seconds: float, lease: float, reason: str) -> None:
        """No new requests for the targets; returns when those under way are done or `seconds` are over.

        After `lease` seconds (a day at most) the edges take them back by themselves. Asked again for a target that is
        out, it renews the lease. Raises RemoteFailed.
        """
        named, held, wait = ",".join(targets), f"{lease:.2f}", f"{seconds:.2f}"
        _tell(edges, script(_DRAIN, COMMAND, named, held, reason, wait), seconds)

    def restore(self, edges: Sequence[Remote], targets: Sequence[str]) -> None:
        """The targets are drained no longer. Raises RemoteFailed."""
        _tell(edges, _words("restore", ",".join(targets)))

    def admit(self, edges: Sequence[Remote], peers: Sequence[Peer], seconds: float) -> None:
        """The peers get requests from each edge that all of them have answered within `seconds`; drains of them end.

        The first peer that is admitted to a service has all of its requests: those that serve it already go first, or
        with it. Raises RemoteFailed, with what the edge met.
        """
        groups = [[",", *each] for each in _groups(peers)]
        words = [word for group in groups for word in group][1:]
        _tell(edges, _words("admit", "--within", f"{seconds:.2f}", *words), seconds)

    def dismiss(self, edges: Sequence[Remote], addresses: Sequence[str]) -> None:
        """These addresses (with port) get no new requests any more; what is under way goes on. Raises RemoteFailed."""
        _tell(edges, _words("dismiss", *addresses))

    def share(self, edges: Sequence[Remote], upstreams: Sequence[str], canary: Canary | None) -> None:
        """The canary's share of sessions goes to its release; None sends everybody to whoever is admitted.

        Raises RemoteFailed.
        """
        how = (canary.release, str(canary.weight), canary.by, *filter(None, [canary.name])) if canary else ("off",)
        _tell(edges, _words("canary", ",".join(upstreams), *how))

    def admitted(self, edge: Remote) -> Admission:
        """Who gets requests from this edge now. Raises RemoteFailed."""
        state = json.loads("\n".join(_tell([edge], _words("state"))[0]))
        upstreams: dict[str, dict[str, Any]] = state["upstreams"]
        return Admission(
            upstreams={name: _releases(each["admitted"]) for name, each in upstreams.items() if "admitted" in each},
            canaries={name: _canary(each["canary"]) for name, each in upstreams.items() if "canary" in each},
            drained={target: float(lease["left"]) for target, lease in state["drained"].items()},
        )

    def inflight(self, edges: Sequence[Remote], targets: Sequence[str]) -> int:
        """Requests and WebSockets under way at the targets, over all edges. Raises RemoteFailed."""
        return sum(int(answer[-1]) for answer in _tell(edges, _words("wait", ",".join(targets), "0")))


def _groups(peers: Sequence[Peer]) -> list[list[str]]:
    """Upstream, release and addresses of those that have both in common."""
    in_order = sorted(peers, key=_kind)
    return [[*kind, *(peer.address for peer in alike)] for kind, alike in itertools.groupby(in_order, key=_kind)]


def _kind(peer: Peer) -> tuple[str, str]:
    return peer.upstream, peer.release


def _releases(listed: Sequence[dict[str, Any]]) -> dict[str, str]:
    return {peer["address"]: peer["release"] for peer in listed}


def _canary(told: dict[str, Any]) -> Canary:
    return Canary(told["release"], int(told["weight"]), told["by"], told["name"])


def _words(*words: str) -> StringCommand:
    return StringCommand(COMMAND, *(QuoteString(word) for word in words))


def _tell(edges: Sequence[Remote], command: StringCommand, seconds: float = 0) -> list[list[str]]:
    """What each edge prints, once all have ended, in failure too. Raises RemoteFailed naming each that failed."""
    timeout = math.ceil(seconds) + SPARE_SECONDS
    jobs = [gevent.spawn(_outcome, edge, command, timeout) for edge in edges]
    gevent.joinall(jobs)  # returns them in the order in which they ended
    outcomes = [job.get() for job in jobs]
    failures = [each for each in outcomes if isinstance(each, RemoteFailed)]
    if len(failures) == 1:
        raise failures[0]
    if failures:
        raise RemoteFailed(
            ", ".join(each.host for each in failures), [line for each in failures for line in each.output]
        )
    return [each for each in outcomes if not isinstance(each, RemoteFailed)]


def _outcome(edge: Remote, command: StringCommand, timeout: int) -> list[str] | RemoteFailed:
    try:
        return edge.run(command, timeout=timeout)
    except RemoteFailed as error:
        return error
