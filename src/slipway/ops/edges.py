"""Who gets requests from the edges, and the proof of a release: what they answer."""

from __future__ import annotations

from collections.abc import Collection, Generator, Mapping
from typing import Any

from pyinfra import host
from pyinfra.api import QuoteString, StringCommand, operation
from pyinfra.api.exceptions import OperationError
from pyinfra.api.state import StateStage

from slipway.facts.containers import DockerFact, DockerState
from slipway.facts.edges import EDGE_COMMAND, AdmittedFact, EdgeComplaint
from slipway.report import note_change
from slipway.rollout import DRAIN_REASON
from slipway.seam.facts import announce


@operation()
def admitted(stack: str, services: Mapping[str, Mapping[str, str]], release: str) -> Generator[StringCommand]:
    """This edge sends requests for each service to what of this release runs on its hosts, proved, and to nobody else.

    `services` has the hosts of each, with their addresses. What is admitted of the release on a host that is not in
    this run stays; a host that comes back with an older one gets nothing before a deploy has brought it there.
    """
    found = host.get_fact(AdmittedFact)
    for service, hosts in services.items():
        there = found.peers.get(service, {})
        running = {peer: its for peer, its in _running(stack, service, hosts).items() if its == release}
        kept = {peer: its for peer, its in _of_absent(there, hosts).items() if its == release}
        # Nobody at all is well: better those that were, than none.
        if running:
            yield from _brought(service, there, {**running, **kept})
    over = sorted(set(services) & found.canaries)
    if over:
        note_change("edge", f"no canary any more: {', '.join(over)}")
        yield _told("canary", ",".join(over), "off")


@operation()
def caught_up(stack: str, services: Mapping[str, Mapping[str, str]], release: str) -> Generator[StringCommand]:
    """Before a rollout, this edge knows what an earlier one that died has left.

    What of this `release` runs already gets requests; what is admitted and does not run any more gets none. A service
    that nobody was ever admitted to is served by whatever of it runs.
    """
    found = host.get_fact(AdmittedFact)
    for service, hosts in services.items():
        there, running = found.peers.get(service), _running(stack, service, hosts, replaced_too=True)
        known = {peer: its for peer, its in running.items() if there is None or its == release or peer in there}
        if known:
            yield from _brought(service, there or {}, {**known, **_of_absent(there or {}, hosts)})
    # Ours by their reason, and nobody else is at work: we hold every host's lock. What people drain stays drained.
    left = sorted(target for target, reason in found.drained.items() if reason.startswith(DRAIN_REASON))
    if left:
        note_change("edge", f"an earlier rollout left drained: {', '.join(left)}", is_owed=True)
        yield _told("restore", ",".join(left))


def _brought(service: str, there: Mapping[str, str], wanted: Mapping[str, str]) -> Generator[StringCommand]:
    new = {address: release for address, release in wanted.items() if there.get(address) != release}
    gone = [address for address in there if address not in wanted]
    for release in sorted(set(new.values())):
        addresses = [address for address, its in new.items() if its == release]
        note_change(f"edge: {service}", f"admit {', '.join(addresses)}")
        yield _told("admit", service, release, *addresses)
    if gone:
        note_change(f"edge: {service}", f"dismiss {', '.join(gone)}")
        yield _told("dismiss", *gone)


def _running(stack: str, service: str, hosts: Collection[str], replaced_too: bool = False) -> dict[str, str]:
    """Address:port to release of what runs of a service on the hosts of this run, seen ready."""
    peers: dict[str, str] = {}
    for name in hosts:
        other = host.inventory.get_host(name)
        state: DockerState = other.get_fact(DockerFact, stack=stack) if other.connected else DockerState()
        for found in state.containers.values():
            is_seen = found.name not in state.unproven and (replaced_too or not found.is_previous)
            if found.service == service and is_seen and found.is_well and found.peer:
                peers[found.peer] = found.release
    return peers


def _of_absent(there: Mapping[str, str], hosts: Mapping[str, str]) -> dict[str, str]:
    """What was admitted on hosts that are not in this run."""
    away = {address for name, address in hosts.items() if not host.inventory.get_host(name).connected}
    return {peer: its for peer, its in there.items() if peer.rpartition(":")[0] in away}


def _told(*words: str) -> StringCommand:
    return StringCommand(EDGE_COMMAND, *(QuoteString(word) for word in words))


@operation()
def proved(address: str, url: str, wanted: str, times: int, seconds: int) -> Generator[StringCommand]:
    """Through the edge at `address`, `times` requests in a row to `url` are answered with `wanted` (empty: below 500).

    Changes nothing and never counts as a change: it is asked when a run executes, after what it proves. Fails with the
    edge's answer where that is still wrong after `seconds`.
    """
    question: dict[str, Any] = {"address": address, "url": url, "wanted": wanted, "times": times, "seconds": seconds}
    if host.state.current_stage != StateStage.Execute:
        announce(host, EdgeComplaint, **question)
    elif said := host.get_fact(EdgeComplaint, **question):
        raise OperationError(_complaint(url, wanted, seconds, said))
    return
    yield  # an operation is a generator


def _complaint(url: str, wanted: str, seconds: int, said: str) -> str:
    if not wanted:
        return f"GET {url} through this edge: {said}; an answer below 500 was wanted within {seconds} s"
    hint = "an application that does not tell its release: app = {'proof_path': None} in group_data/all.py"
    what = f"GET {url} through this edge does not answer release {wanted} after {seconds} s: {said}"
    return f"{what}\n  HINT: {hint}" if said.endswith("404") else what
