"""Containers: each is what its specification says, proved before the one that it replaces is given up."""

from __future__ import annotations

import math
from collections.abc import Collection, Generator, Sequence
from dataclasses import dataclass

from pyinfra import host
from pyinfra.api import StringCommand, operation
from pyinfra.api.exceptions import OperationError

from slipway.container import PREVIOUS, ContainerSpec
from slipway.facts.containers import UNPROVEN, DockerFact, DockerState, Found
from slipway.facts.files import script
from slipway.ops.containers_script import REPLACE, RETIRE, SEAL, STOP_SERVICE
from slipway.remote import Remote, RemoteFailed
from slipway.report import note_change

STOP_MARGIN = 60
"""Seconds that Docker gets for its own part of a replacement, on top of what the container is granted."""
FALL_BACK_SECONDS = 60
"""Seconds to remove a container that failed (ten of them its grace) and start the one before it."""


@dataclass(frozen=True)
class Probe:
    """How a container shows on its own host that it serves. Durations in seconds."""

    path: str = ""
    """HTTP path that answers 200; empty means its HEALTHCHECK, or without one that it stays up."""
    port: int = 0
    address: str = ""
    """Address of the host that the port is published on; empty means the container's own address."""
    host: str = ""
    """Host header; empty is the address."""
    deadline: float = 60.0
    """Until it must be ready."""
    monitor: float = 5.0
    """How long it must then stay ready."""

    def words(self) -> list[str]:
        return [str(math.ceil(self.deadline)), str(math.ceil(self.monitor)),
                self.address, str(self.port), self.path, self.host]  # fmt: skip


@operation()
def network(stack: str) -> Generator[StringCommand]:
    """The Docker network of a stack on this host: services on one host find each other there by name."""
    if stack in host.get_fact(DockerFact, stack=stack).networks:
        return
    note_change(f"network {stack}", "create")
    yield script('exec docker network create --label "slipway.stack=$1" "$1"', stack)


@operation()
def running(spec: ContainerSpec, probe: Probe, singleton_of: Sequence[str] = ()) -> Generator[StringCommand]:
    """This container, from this image, with these limits, running and proved ready.

    A changed one takes the place of the old one, which stops first, within its grace, and is kept until `seal`. Where
    the new one does not get ready, dies or cannot start, it is removed and the old one serves again; the operation then
    fails with the reason and the container's last log lines.

    + singleton_of: hosts that may run this service too; before it first starts here it is stopped there
    """
    state = host.get_fact(DockerFact, stack=spec.stack)
    found = state.containers.get(spec.name)
    why = _what_differs(spec, found, state)
    if not why:
        return
    note_change(f"container {spec.name}", ", ".join(why))
    if found and why == ["limits"] and _can_be_updated(spec, found):
        yield _mend_limits(spec)
        return
    if found is None and f"{spec.name}{PREVIOUS}" not in state.containers:
        yield script("exec true")  # what follows is done at execution only
        stop_elsewhere(spec, singleton_of)
    yield replacement(
        spec, probe, "start" if found and _is_same(spec, found, state) else "replace", _grace(state, spec)
    )


def replacement(spec: ContainerSpec, probe: Probe, mode: str, grace: float = 0) -> StringCommand:
    """The command that puts the container in its place; with `start` an existing one of the same specification.

    `grace` is how many seconds the container before it may take to stop, where that is more than this one's.
    """
    words = [spec.name, mode, spec.restart, *probe.words(), spec.release, UNPROVEN, *spec.create_words()]
    seconds = max(grace, spec.stop_timeout) + probe.deadline + probe.monitor + STOP_MARGIN + FALL_BACK_SECONDS
    # `exec`: a time limit that passes must reach the script itself, which then brings the one before back.
    return StringCommand("exec", *script(REPLACE, *words).bits, _timeout=math.ceil(seconds))


def _what_differs(spec: ContainerSpec, found: Found | None, state: DockerState) -> list[str]:
    """Why it is not as wanted, in few words; empty where it is."""
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


def _can_be_updated(spec: ContainerSpec, found: Found) -> bool:
    """Whether `docker update` can bring its limits back: it has no word for "unlimited"."""
    limits = spec.limits
    pairs = ((limits.memory, found.memory), (limits.cpus, found.nano_cpus), (limits.pids, found.pids))
    return all((wanted and wanted > 0) or not there for wanted, there in pairs)


def _mend_limits(spec: ContainerSpec) -> StringCommand:
    """`docker update`, without a stop."""
    return script('exec docker update "$@" >/dev/null', *spec.limits.words(), "--restart", spec.restart, spec.name)


def _grace(state: DockerState, spec: ContainerSpec) -> float:
    return max([found.grace for name, found in state.containers.items() if name.startswith(spec.name)], default=0)


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
def only(stack: str, names: Collection[str]) -> Generator[StringCommand]:
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
    yield StringCommand(*script(RETIRE, UNPROVEN, *(found.name for found in surplus)).bits, _timeout=seconds)


@operation()
def seal(stack: str) -> Generator[StringCommand]:
    """The end of a host's stage: what was replaced in it is removed, and with it the way back by a rename."""
    state = host.get_fact(DockerFact, stack=stack)
    if not state.previous:
        return
    for name in state.previous:
        note_change(f"container {name}", "remove")
    seconds = math.ceil(sum(state.containers[name].grace for name in state.previous)) + STOP_MARGIN
    yield StringCommand(*script(SEAL, *state.previous).bits, _timeout=seconds)
