"""In which order the replicas of one host are replaced, and how many of them together. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from roles.app.data import App
from roles.app.rolling import changes_of
from roles.app.specs import services_here, spec_of
from slipway.compose import Service, Stack
from slipway.context import Context
from slipway.ops.containers import Replica
from slipway.rollout import batches


def waves(data: App, ctx: Context, stack: Stack) -> list[list[Replica]]:
    """Replicas that are replaced together, wave after wave.

    A service comes after those that it depends on; of each, no more than its `update_config.parallelism` at a time.
    """
    found: list[list[Replica]] = []
    for level in levels(services_here(ctx, stack)):
        groups = [_groups(service, count, data, ctx, stack) for service, count in level]
        found += [
            [replica for group in groups if number < len(group) for replica in group[number]]
            for number in range(max(map(len, groups), default=0))
        ]
    return found


def _groups(service: Service, count: int, data: App, ctx: Context, stack: Stack) -> list[list[Replica]]:
    replicas = [replica_of(service, number, data, ctx, stack) for number in range(1, count + 1)]
    return batches(replicas, changes_of(service, ctx).parallelism)


def replica_of(service: Service, number: int, data: App, ctx: Context, stack: Stack) -> Replica:
    """One container and how it takes its place."""
    others = [member.name for member in ctx.fleet.group(service.x.group) if member.name != ctx.host.name]
    return Replica(
        spec_of(service, number, data, ctx, stack),
        changes_of(service, ctx).order,
        service.x.drain_seconds if service.edge else 0,
        tuple(others) if service.x.singleton else (),
    )


def levels(services: Sequence[tuple[Service, int]]) -> Iterator[list[tuple[Service, int]]]:
    """The services in groups: each depends only on those of groups before its own."""
    waiting = list(services)
    while waiting:
        names = {service.name for service, _ in waiting}
        ready = [each for each in waiting if not names & set(each[0].depends_on)]
        yield ready
        waiting = [each for each in waiting if each not in ready]


def beside(group: Sequence[Replica]) -> list[Replica]:
    """Of these, the ones that the edges reach: they can stand beside those before them, and share the sessions."""
    return [replace(replica, order="start-first") for replica in group if replica.spec.serves]
