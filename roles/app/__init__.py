"""The application of the Compose file: its images, schema, containers, proof and record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pyinfra.api import StringCommand

from roles.app import tasks as _tasks
from roles.app.data import App
from roles.app.specs import services_here
from roles.app.status import status
from slipway.context import Context
from slipway.facts.containers import UNPROVEN
from slipway.facts.files import script
from slipway.ops.containers import FALL_BACK_SECONDS
from slipway.ops.containers_script import REVERT
from slipway.remote import Remote
from slipway.role import Role
from slipway.rollout import RollPolicy


def derive(ctx: Context) -> Mapping[str, Any]:
    """What the Compose file says of the application as a whole."""
    return {"keep_releases": ctx.stack.release.keep_releases} if ctx.stack else {}


def policy(ctx: Context) -> RollPolicy:
    """How a release goes through the hosts: as carefully as the most careful of its services asks for."""
    services = ctx.stack.services if ctx.stack else ()
    if not services:
        return RollPolicy()
    hosts = len(ctx.fleet.group(services[0].x.group))
    return RollPolicy(
        # 0 is all at once, which any number of hosts is more careful than.
        parallelism=min((service.update.parallelism or max(hosts, 1)) for service in services),
        delay=max(service.update.delay for service in services),
        drain_seconds=round(max((service.x.drain_seconds for service in services if service.edge), default=0)),
    )


def revert(remote: Remote, ctx: Context) -> None:
    """The host serves what it served before its stage began. Again and again has the effect of once.

    Raises RemoteFailed where a container could not be brought back.
    """
    if ctx.stack is None:
        return
    graces = sum(service.stop_grace_period * count for service, count in services_here(ctx, ctx.stack))
    command: StringCommand = script(REVERT, ctx.stack.name, UNPROVEN)
    remote.run(command, timeout=round(graces) + FALL_BACK_SECONDS)


def _part(name: str, tasks: Any, checks: str = "roles.app.verify_nothing") -> Role:
    return Role(name, data=App, tasks=tasks, derive=derive, data_key="app", checks=checks)


role = replace(_part("app", _tasks.tasks, checks=""), status=status, carries="services")
images = _part("app-images", _tasks.images)
migration = _part("app-migration", _tasks.migration)
proof = _part("app-proof", _tasks.proof)
record = _part("app-record", _tasks.record, "roles.app.verify_record")
