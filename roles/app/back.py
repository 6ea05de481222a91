"""The way back of one host: what it served before the rollout serves again, and nobody notices that either."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import replace

from pyinfra.api import StringCommand

from roles.app.rolling import changes_of
from slipway.container import PREVIOUS
from slipway.context import Context
from slipway.facts.containers import UNPROVEN, DockerFact, DockerState, Found
from slipway.facts.files import script
from slipway.facts.releases import ReleaseRecords, ReleasesFact
from slipway.ops.containers import STOP_MARGIN, wave
from slipway.ops.containers_script import RETURN, REVERTED, SEAL
from slipway.remote import Remote
from slipway.rollout import DRAIN_REASON, Edges, Peer, Step
from slipway.steps import steps_in

LEASE_SECONDS = 300
"""How much longer than its drain a container stays out, should we die: time to stop it and start the one of before."""


def back(remote: Remote, ctx: Context, edges: Edges) -> list[Step]:
    """Every container that was replaced serves again, proved; those that replaced it are gone.

    Where the edges reach it, beside the new one first; otherwise after the new one has stopped. What is new here since
    the rollout began, and has replaced nothing, goes too. Raises RemoteFailed.
    """
    if ctx.stack is None:
        return []
    remote.forget()
    state = remote.fact(DockerFact, stack=ctx.stack.name)
    before = [found for found in state.containers.values() if found.is_previous]
    added = _added(state, remote.fact(ReleasesFact))
    # What takes no requests may be the old one's work under another name: it ends before that begins again.
    steps = _gone(remote, [found for found in added if not found.peer], ctx, edges)
    if before:
        steps += [*_up(remote, before, state, ctx, edges), *_down(remote, before, state, ctx, edges)]
    return [*steps, *_gone(remote, [found for found in added if found.peer], ctx, edges)]


def _added(state: DockerState, records: ReleaseRecords) -> list[Found]:
    """What the attempted release brought here beside what the one that serves has; nothing where none serves."""
    attempted = records.records.get(records.attempt.id, {}) if records.attempt else {}
    serving, brought = records.records.get(records.current, {}).get("containers"), attempted.get("containers", {})
    if serving is None:
        return []
    return [
        found for name, found in state.containers.items()
        if found.spec and found.spec == brought.get(name) and name not in serving
        and f"{name}{PREVIOUS}" not in state.containers
    ]  # fmt: skip


def _gone(remote: Remote, added: Sequence[Found], ctx: Context, edges: Edges) -> list[Step]:
    """They are removed, once their requests are done."""
    if not added:
        return []
    began = time.monotonic()
    _drain(added, ctx, edges)
    edges.dismiss(_peers(added))
    seconds, names = sum(found.grace for found in added) + STOP_MARGIN, [found.name for found in added]
    remote.run(script(SEAL, *names), timeout=math.ceil(seconds))
    edges.restore(_peers(added))
    return [Step("stop", ", ".join(names), began, time.monotonic() - began)]


def _up(remote: Remote, before: Sequence[Found], state: DockerState, ctx: Context, edges: Edges) -> list[Step]:
    """The ones of before are up; the edges know it."""
    alone = [found for found in before if _order(found, ctx) == "stop-first"]
    _drain(_successors(alone, state), ctx, edges)
    began = time.monotonic()
    seconds = max(found.probe.deadline + found.probe.monitor + found.grace for found in before) + 2 * STOP_MARGIN
    said = remote.run(_returning(before, ctx, seconds), timeout=math.ceil(seconds))
    edges.admit([Peer(found.service, found.peer, found.release) for found in before if found.peer])
    return steps_in(said, began)


def _down(remote: Remote, before: Sequence[Found], state: DockerState, ctx: Context, edges: Edges) -> list[Step]:
    """Those that replaced them are gone, once their requests are done."""
    after = _successors(before, state)
    began = time.monotonic()
    _drain(after, ctx, edges)
    drained = Step("drain", "", began, time.monotonic() - began)
    edges.dismiss(_peers(after))
    began = time.monotonic()
    seconds = max(found.grace for found in [*before, *after]) + STOP_MARGIN
    names = [found.name.removesuffix(PREVIOUS) for found in before]
    said = remote.run(wave([(REVERTED, [name, UNPROVEN]) for name in names], seconds), timeout=math.ceil(seconds))
    edges.restore(_peers(after))
    return [drained, *steps_in(said, began)]


def _drain(found: Sequence[Found], ctx: Context, edges: Edges) -> None:
    seconds = _drain_seconds(ctx)
    edges.drain(_peers(found), seconds, seconds + LEASE_SECONDS, f"{DRAIN_REASON}way back")


def _successors(before: Sequence[Found], state: DockerState) -> list[Found]:
    found = [state.containers.get(each.name.removesuffix(PREVIOUS)) for each in before]
    return [each for each in found if each is not None]


def _peers(found: Sequence[Found]) -> list[str]:
    return [each.peer for each in found if each.peer]


def _order(found: Found, ctx: Context) -> str:
    """Beside the new one where the file lets it start first, or where the edges can tell the two apart and it must not
    run alone; a singleton and one with fixed ports only after the new one has stopped."""
    service = next((each for each in ctx.stack.services if each.name == found.service), None) if ctx.stack else None
    if service is None or not found.peer or service.x.singleton:
        return "stop-first"
    return changes_of(service, replace(ctx, is_rollback=True)).order


def _drain_seconds(ctx: Context) -> float:
    return max((service.x.drain_seconds for service in ctx.stack.web), default=0) if ctx.stack else 0


def _returning(before: Sequence[Found], ctx: Context, seconds: float) -> StringCommand:
    return wave([(RETURN, _words(found, ctx)) for found in before], seconds)


def _words(found: Found, ctx: Context) -> list[str]:
    probe = replace(found.probe, monitor=0)  # it has been watched when it came
    return [found.name.removesuffix(PREVIOUS), "return", _order(found, ctx), found.restart or "no", *probe.words(),
            found.release, UNPROVEN]  # fmt: skip
