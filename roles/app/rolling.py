"""How a release goes through its hosts. Pure."""

from __future__ import annotations

from typing import Literal

from slipway.compose import Service, UpdateConfig
from slipway.context import Context
from slipway.rollout import RollPolicy
from slipway.spread import replicas_on


def policy(ctx: Context) -> RollPolicy:
    """As carefully as the most careful of the stack's services asks for."""
    if ctx.stack is None or not ctx.stack.services:
        return RollPolicy()
    configs = [changes_of(service, ctx) for service in ctx.stack.services]
    rollout = ctx.stack.rollout
    goes_back = rollout.moved_hosts == "go_back" or any(c.failure_action == "rollback" for c in configs)
    action: Literal["pause", "rollback"] = "rollback" if goes_back and rollout.moved_hosts != "stay" else "pause"
    return RollPolicy(
        parallelism=hosts_at_once(ctx),
        # A release that has served before need not be waited for.
        delay=0 if ctx.is_rollback else max(config.delay for config in configs),
        failure_action="continue" if all(c.failure_action == "continue" for c in configs) else action,
        max_failure_ratio=min(config.max_failure_ratio for config in configs),
        first_alone=rollout.first_host and not ctx.is_rollback,
        promote_after=rollout.promote_after,
        deadline=rollout.progress_deadline,
    )


def changes_of(service: Service, ctx: Context) -> UpdateConfig:
    """How this run replaces the service: forward, or on the way back to what ran before."""
    return service.rollback if ctx.is_rollback else service.update


def hosts_at_once(ctx: Context) -> int:
    """So many hosts that of no service more replicas are replaced at a time than its `parallelism`; at least one.

    0 is all at once, where every service allows that.
    """
    assert ctx.stack is not None  # noqa: S101 - the caller has looked
    bounds = []
    for service in ctx.stack.services:
        most = changes_of(service, ctx).parallelism
        on_one = max(replicas_on(service, ctx.fleet.group(service.x.group)).values(), default=0)
        if most and on_one:
            bounds.append(max(most // on_one, 1))
    return min(bounds, default=0)
