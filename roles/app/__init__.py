"""The application of the Compose file: its images, schema, containers, proof and record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from roles.app import tasks as _tasks
from roles.app.back import back
from roles.app.data import App
from roles.app.gate import gate
from roles.app.needs import needs
from roles.app.rolling import policy
from roles.app.status import status
from slipway.context import Context
from slipway.role import Role
from slipway.rollout import Rolling


def derive(ctx: Context) -> Mapping[str, Any]:
    """What the Compose file says of the application as a whole."""
    return {"keep_releases": ctx.stack.release.keep_releases} if ctx.stack else {}


def _part(name: str, tasks: Any, checks: str = "roles.app.verify_nothing") -> Role:
    return Role(name, data=App, tasks=tasks, derive=derive, data_key="app", checks=checks)


rolling = Rolling(policy, gate, back)
role = replace(_part("app", _tasks.tasks, checks=""), status=status, needs=needs, carries="services", rolling=rolling)
images = _part("app-images", _tasks.images)
migration = _part("app-migration", _tasks.migration)
traffic = _part("app-traffic", _tasks.traffic)
proof = _part("app-proof", _tasks.proof)
staged = _part("app-staged", _tasks.staged)
record = _part("app-record", _tasks.record, "roles.app.verify_record")
