"""Containers: each is what its specification says, proved before the one that it replaces is given up."""

from __future__ import annotations

import math
from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from pyinfra import host
from pyinfra.api import StringCommand, operation
from pyinfra.api.exceptions import OperationError

from slipway.container import PREVIOUS, ContainerSpec, Probe
from slipway.disruption import Disruption, disrupts
from slipway.facts.containers import UNPROVEN, DockerFact, DockerState, Found
from slipway.facts.files import script
from slipway.ops.containers_script import REPLACE, RETIRE, SEAL, STOP_SERVICE, STOPPED, WAVE
from slipway.remote import Remote, RemoteFailed
from slipway.report import note_change
from slipway.rollout import Canary, Peer

STOP_MARGIN = 60
"""Seconds that Docker gets for its own part of a replacement, on top of what the container is granted."""
FALL_BACK_SECONDS = 60
"""Seconds to remove a container that failed (ten of them its grace) and start the one before it."""


@dataclass(frozen=True)
class Replica:
    """One container, and how it takes the place of the one before it."""

    spec: ContainerSpec
    order: Literal["start-first", "stop-first"] = "stop-first"
    """Whether it starts before the one that it replaces stops."""
    drain_seconds: float = 0
    """Longest time that requests under way get at the one that it replaces."""
    singleton_of: tuple[str, ...] = ()
    """Hosts that may run this service too; before it first starts here it is stopped there."""


@dataclass(frozen=True)
class Move:
    """What is to happen to one replica."""

    replica: Replica
    spec: ContainerSpec
    """In the slot that it will have."""
    mode: Literal["start", "replace"]
    """start: the container that is there; replace: a new one."""
    serving: Found | None
    """What of it serves now; None where nothing does."""
    besides: Found | None
    """What else of it runs, left over from a run that died, and is stopped on the way."""
    before: Found | None
    """What serves again where it fails; None where nothing did."""

    @property
    def stops_first(self) -> bool:
        return self.replica.order == "stop-first" or self.mode == "start"

    @property
    def takes_out(self) -> list[Found]:
        """The containers that get no requests before it begins."""
        taken = [self.serving] if self.stops_first else []
        return [found for found in (*taken, self.besides) if found is not None and found.peer]

    def seconds(self) -> float:
        """At the very most."""
        probe, grace = self.spec.placed_probe, max([found.grace for found in self._there], default=0.0)
        back = FALL_BACK_SECONDS + (self.before.probe.deadline if self.before else 0)
        return max(grace, self.spec.stop_timeout) + probe.deadline + probe.monitor + STOP_MARGIN + back

    @property
    def _there(self) -> list[Found]:
        return [found for found in (self.serving, self.besides) if found is not None]

    def words(self) -> list[str]:
        """REPLACE's."""
        spec = self.spec
        before = (self.before.probe if self.before else Probe()).words()
        return [spec.name, self.mode, self.replica.order, spec.restart, *spec.placed_probe.words(),
                spec.release, UNPROVEN, *before, *spec.create_words()]  # fmt: skip


@operation()
def network(stack: str) -> Generator[StringCommand]:
    """The Docker network of a stack on this host: services on one host find each other there by name."""
    if stack in host.get_fact(DockerFact, stack=stack).networks:
        return
    note_change(f"network {stack}", "create")
    yield script('exec docker network create --label "slipway.stack=$1" "$1"', stack)


@operation()
def started(stack: str, wanted: Sequence[Replica], canary: Canary | None = None) -> Generator[StringCommand]:
    """These containers, from their images, with their limits, running and proved ready; all of them at the same time.

    A changed one stands in the other slot beside the old one (start-first), or after the old one stopped within its
    grace (stop-first); the old one is kept. Where the new one does not get ready, dies or cannot start, it is removed
    and the old one serves again; the operation then fails with the reason and the container's last log lines.

    + canary: the share of sessions that the new ones get
    """
    state = host.get_fact(DockerFact, stack=stack)
    due = [(replica, why) for replica in wanted if (why := _what_differs(replica.spec, state))]
    for replica, why in due:
        note_change(f"container {replica.spec.name}", ", ".join(why))
    light = [replica.spec for replica, why in due if why == ["limits"] and _can_be_updated(replica.spec, state)]
    for spec in light:
        yield _mend_limits(spec)
    moves = [move_of(replica, state) for replica, _ in due if replica.spec not in light]
    if moves:
        disrupts_starting(moves, state, canary)
        yield script("exec true")  # what follows is done at execution only
        for move in moves:
            _stop_elsewhere_first(move, state)
        yield wave([(REPLACE, move.words()) for move in moves], max(move.seconds() for move in moves))


def move_of(replica: Replica, state: DockerState) -> Move:
    """What is to happen to a replica that is not as it should be."""
    spec = replica.spec
    current, previous = state.containers.get(spec.name), state.containers.get(f"{spec.name}{PREVIOUS}")
    left = previous if previous is not None and previous.status == "running" else None
    if current is not None and _is_same(spec, current, state):
        stopped_first = left if replica.order == "stop-first" else None
        return Move(replica, replace(spec, slot=_slot_of(spec, current)), "start", current, stopped_first, previous)
    is_attempt = spec.name in state.unproven and previous is not None
    serving = previous if current is None or is_attempt else current
    placed = replace(spec, slot=1 - (_slot_of(spec, serving) if serving else 1) if spec.serves else 0)
    return Move(replica, placed, "replace", serving, left if left is not serving else None, serving)


def _slot_of(spec: ContainerSpec, found: Found) -> int:
    addresses = [replace(spec, slot=slot).peer for slot in range(len(spec.serves))]
    return addresses.index(found.peer) if found.peer in addresses else 0


def disrupts_starting(moves: Sequence[Move], state: DockerState, canary: Canary | None) -> None:
    """Says what these moves take out of service and bring into it."""
    out = [found for move in moves for found in move.takes_out]
    beside = [move for move in moves if not move.stops_first and move.serving]
    disrupts(
        Disruption(
            subject=", ".join(_short(move.spec) for move in moves),
            # What a run that died has left beside them goes; the edges may know of nobody else.
            admit_first=tuple(_peer_of(m.serving) for m in beside if m.besides and m.serving and m.serving.peer),
            drain=tuple(found.peer for found in out),
            drain_seconds=max([move.replica.drain_seconds for move in moves if move.takes_out], default=0),
            seconds=max(move.seconds() for move in moves),
            admit=tuple(Peer(m.spec.service, m.spec.peer, m.spec.release) for m in moves if m.spec.peer),
            dismiss=tuple(found.peer for move in moves for found in move.takes_out if found.peer != move.spec.peer),
            canary=canary,
            takes=_counted(move.spec.service for move in moves if _is_missed(move, state)),
            adds_memory=sum(move.spec.memory_reservation or 0 for move in beside),
            adds_replicas=_counted(move.spec.service for move in beside),
            needs_ports=tuple(_new_ports(moves, state)),
            # A host on which nothing runs has nothing to lose: it does not wait for others.
            needs_turn=any(found.status == "running" for found in state.containers.values()),
        )
    )


def _is_missed(move: Move, state: DockerState) -> bool:
    """Whether a replica that serves does not do so meanwhile; one that was never seen ready does not."""
    taken = [found for found in (move.serving, move.besides) if found is not None]
    return move.stops_first and any(found.is_well and found.name not in state.unproven for found in taken)


def _new_ports(moves: Sequence[Move], state: DockerState) -> Iterator[str]:
    """Where new containers are to be reached, but for what a run that died has left there: that is removed first."""
    ours = {found.peer for found in state.containers.values() if found.status in ("running", "paused", "restarting")}
    for move in moves:
        if move.mode == "replace" and move.spec.peer and move.spec.peer not in ours:
            yield move.spec.peer


def _counted(names: Iterator[str]) -> Mapping[str, int]:
    listed = list(names)
    return {name: listed.count(name) for name in dict.fromkeys(listed)}


def _short(spec: ContainerSpec) -> str:
    return f"{spec.service}-{spec.replica}"


def wave(parts: Sequence[tuple[str, Sequence[str]]], seconds: float) -> StringCommand:
    """Scripts with their words, all at the same time, under one time limit."""
    words = [word for text, its in parts for word in (text, str(len(its)), *its)]
    # `exec`: a time limit that passes must reach the scripts themselves, which then bring the one before back.
    return StringCommand("exec", *script(WAVE, *words).bits, _timeout=math.ceil(seconds))


@operation()
def stopped(stack: str, wanted: Sequence[Replica]) -> Generator[StringCommand]:
    """Of these replicas, the ones that were replaced run no longer: their requests under way are finished, then they
    stop within their grace. They are kept until `seal`."""
    state = host.get_fact(DockerFact, stack=stack)
    pairs = [(replica, state.containers.get(f"{replica.spec.name}{PREVIOUS}")) for replica in wanted]
    running = [(replica, found) for replica, found in pairs if found is not None and found.status == "running"]
    if not running:
        return
    for _, found in running:
        note_change(f"container {found.name}", "stop: replaced", is_owed=True)
    seconds = max(found.grace for _, found in running) + STOP_MARGIN
    peers = tuple(found.peer for _, found in running if found.peer)
    disrupts(
        Disruption(
            subject=", ".join(_short(replica.spec) for replica, _ in running),
            admit_first=tuple(_peers_of([replica.spec.name for replica, _ in running], state)),
            drain=peers,
            drain_seconds=max(replica.drain_seconds for replica, _ in running),
            seconds=seconds,
            dismiss=peers,
        )
    )
    yield wave([(STOPPED, [found.name]) for _, found in running], seconds)


def _peers_of(names: Collection[str], state: DockerState) -> Iterator[Peer]:
    for name in names:
        found = state.containers.get(name)
        if found is not None and found.peer:
            yield _peer_of(found)


def _peer_of(found: Found) -> Peer:
    return Peer(found.service, found.peer, found.release)


def _what_differs(spec: ContainerSpec, state: DockerState) -> list[str]:
    """Why it is not as wanted, in few words; empty where it is."""
    found = state.containers.get(spec.name)
    if found is None:
        return ["create"]
    why = [] if found.spec == spec.digest() else [f"release {found.release} -> {spec.release}"]
    if not why and found.image != state.image_id(spec.image):
        why.append("made from another image")
    if found.status != "running":
        why.append(found.status)
    elif found.is_crash_looping:
        why.append("crash-looping")
    if found.health == "unhealthy":
        why.append("unhealthy")
    if spec.name in state.unproven:
        why.append("never seen ready")
    elif not why and not _has_limits(spec, found):
        why.append("limits")
    return why


def _is_same(spec: ContainerSpec, found: Found, state: DockerState) -> bool:
    """Whether it can be kept: nothing differs that only a new container can have."""
    as_made = found.spec == spec.digest() and found.image == state.image_id(spec.image)
    return as_made and _has_limits(spec, found, restart=False)


def _has_limits(spec: ContainerSpec, found: Found, restart: bool = True) -> bool:
    limits = spec.limits
    wanted = (limits.memory or 0, limits.nano_cpus, max(limits.pids or 0, 0))
    return wanted == (found.memory, found.nano_cpus, found.pids) and (not restart or found.restart == spec.restart)


def _can_be_updated(spec: ContainerSpec, state: DockerState) -> bool:
    """Whether `docker update` can bring its limits back: it has no word for "unlimited"."""
    limits, found = spec.limits, state.containers[spec.name]
    pairs = ((limits.memory, found.memory), (limits.cpus, found.nano_cpus), (limits.pids, found.pids))
    return all((wanted and wanted > 0) or not there for wanted, there in pairs)


def _mend_limits(spec: ContainerSpec) -> StringCommand:
    """`docker update`, without a stop."""
    return script('exec docker update "$@" >/dev/null', *spec.limits.words(), "--restart", spec.restart, spec.name)


def _stop_elsewhere_first(move: Move, state: DockerState) -> None:
    """A singleton that was never on this host is stopped where it is."""
    names = (move.spec.name, f"{move.spec.name}{PREVIOUS}")
    if move.replica.singleton_of and not any(name in state.containers for name in names):
        stop_elsewhere(move.spec, move.replica.singleton_of)


def stop_elsewhere(spec: ContainerSpec, names: Sequence[str]) -> None:
    """Stops a singleton on the other hosts that may have it. Raises OperationError where one cannot be asked."""
    for name in names:
        other = host.inventory.get_host(name)
        if not other.connected:
            what = f"{spec.service} must run once only, and {name}, which may still run it, is not in this run"
            raise OperationError(f"{what}\n  HINT: run it without --limit, or with {name} in it")
        seconds = math.ceil(spec.stop_timeout) + STOP_MARGIN
        try:
            Remote(other).run(script(STOP_SERVICE, spec.stack, spec.service), timeout=seconds)
        except RemoteFailed as error:
            raise OperationError(f"{spec.service} must run once only, and could not be stopped on {error}") from error


@operation()
def only(stack: str, names: Collection[str], drain_seconds: float = 30) -> Generator[StringCommand]:
    """No container of the stack but these. Others stop within their grace and go when the host's stage is sealed.

    Containers without our labels are never touched.
    """
    state = host.get_fact(DockerFact, stack=stack)
    surplus = [found for found in state.containers.values() if found.name not in names and not found.is_previous]
    if not surplus:
        return
    for found in surplus:
        note_change(f"container {found.name}", "remove: no longer in the stack here")
    seconds = math.ceil(sum(found.grace for found in surplus)) + STOP_MARGIN
    peers = tuple(found.peer for found in surplus if found.peer)
    names_of_them = ", ".join(f"{found.service}-{found.replica}" for found in surplus)
    if any(found.status == "running" for found in surplus):
        disrupts(Disruption(names_of_them, drain=peers, drain_seconds=drain_seconds, seconds=seconds, dismiss=peers))
    yield StringCommand(*script(RETIRE, UNPROVEN, *(found.name for found in surplus)).bits, _timeout=seconds)


@operation()
def seal(stack: str) -> Generator[StringCommand]:
    """The end of a rollout: what was replaced in it is removed, and with it the quick way back."""
    state = host.get_fact(DockerFact, stack=stack)
    if not state.previous:
        return
    for name in state.previous:
        note_change(f"container {name}", "remove", is_owed=True)
    seconds = math.ceil(sum(state.containers[name].grace for name in state.previous)) + STOP_MARGIN
    yield StringCommand(*script(SEAL, *state.previous).bits, _timeout=seconds)
