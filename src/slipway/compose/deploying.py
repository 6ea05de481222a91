"""Readers of `deploy`, its parts, and of the older keys that say the same (`cpus`, `mem_limit`, `scale`)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from slipway.compose import refused
from slipway.compose.model import Service
from slipway.compose.nodes import MapNode, Node, Wrong
from slipway.compose.parts import Amounts, Placement, Resources, UpdateConfig
from slipway.compose.reading import Reading
from slipway.compose.scalars import duration, integer, list_of, number, one_of, size, text
from slipway.compose.table import Key, Table, limited

_GROUP_CONSTRAINT = re.compile(r"node\.labels\.group\s*==\s*([A-Za-z_][A-Za-z0-9_]*)")

UPDATE = Table(
    supported={
        "parallelism": Key("parallelism", integer),
        "delay": Key("delay", duration),
        "order": Key("order", one_of("start-first", "stop-first")),
        "failure_action": Key("failure_action", one_of("pause", "continue", "rollback")),
        "monitor": Key("monitor", duration),
        "max_failure_ratio": Key("max_failure_ratio", number),
    },
)
ROLLBACK = Table(supported={**UPDATE.supported, "failure_action": Key("failure_action", one_of("pause", "continue"))})
LIMITS = Table(
    supported={"cpus": Key("cpus", number), "memory": Key("memory", size), "pids": Key("pids", integer)},
)
RESERVATIONS = Table(
    supported={"cpus": Key("cpus", number), "memory": Key("memory", size)},
    refused=refused.RESERVATION_REFUSED,
)
RESOURCES = Table(
    supported={
        "limits": Key("limits", lambda node, reading: LIMITS.build(Amounts, node, reading)),
        "reservations": Key("reservations", lambda node, reading: RESERVATIONS.build(Amounts, node, reading)),
    },
)
RESTART_POLICY = Table(
    supported={
        "condition": Key("restart", one_of("none", "on-failure", "any")),
        "max_attempts": Key("restart_attempts", limited(Service, "restart_attempts", integer)),
    },
    noted=refused.RESTART_NOTED,
)


def _constraint(node: Node, reading: Reading) -> str:
    found = text(node, reading)
    match = _GROUP_CONSTRAINT.fullmatch(found)
    if match is None:
        hint = "write `node.labels.group == NAME`, or name the inventory group under x-slipway.group"
        raise Wrong(node.line, f"the constraint {found!r} speaks of Swarm's nodes", hint)
    return match[1]


def _one_group(node: Node, reading: Reading) -> str | None:
    groups = set(list_of(_constraint)(node, reading))
    if len(groups) > 1:
        raise Wrong(node.line, f"no host is in exactly one of the groups {', '.join(sorted(groups))}", "name one group")
    return groups.pop() if groups else None


PLACEMENT = Table(
    supported={
        "constraints": Key("group", _one_group),
        "max_replicas_per_node": Key("max_replicas_per_node", integer),
    },
    noted=refused.PLACEMENT_NOTED,
)


def _restart_policy(node: Node, reading: Reading) -> dict[str, Any]:
    values = RESTART_POLICY.read(node, reading)
    names = {"none": "no", "any": "unless-stopped", "on-failure": "on-failure"}
    values["restart"] = names[values.get("restart", "any")]
    return values


def _placement(node: Node, reading: Reading) -> dict[str, Any]:
    values = PLACEMENT.read(node, reading)
    group = values.pop("group", None)
    return {"placement": PLACEMENT.made(Placement, values, node, reading), "constraint_group": group}


DEPLOY = Table(
    supported={
        "mode": Key("mode", one_of("replicated", "global")),
        "replicas": Key("replicas", limited(Service, "replicas", integer)),
        "resources": Key("resources", lambda node, reading: RESOURCES.build(Resources, node, reading)),
        "update_config": Key("update", lambda node, reading: UPDATE.build(UpdateConfig, node, reading)),
        "rollback_config": Key("rollback", lambda node, reading: ROLLBACK.build(UpdateConfig, node, reading)),
        "restart_policy": Key("restart_policy", _restart_policy),
        "placement": Key("placed", _placement),
    },
    refused=refused.DEPLOY_REFUSED,
    noted=refused.DEPLOY_NOTED,
)


def deploy(node: Node, reading: Reading) -> dict[str, Any]:
    """Fields of the service that `deploy` decides."""
    values = DEPLOY.read(node, reading)
    for part in ("restart_policy", "placed"):
        values.update(values.pop(part, {}))
    if values.get("mode") == "global":
        if "replicas" in values:
            raise Wrong(
                node.line,
                "`replicas` with mode global",
                "global runs one on each host of the group; remove one of the two",
            )
        values["replicas"] = None
    return values


OLDER = {"cpus": "cpus", "mem_limit": "memory", "pids_limit": "pids"}
"""Keys beside `image` that say what `deploy.resources.limits` says, and the field there."""


def joined_resources(values: Mapping[str, Any], resources: Resources, node: MapNode) -> Resources:
    """Resources with the older keys put in. Raises Wrong where both are given and differ."""
    limits = {field: values[key] for key, field in OLDER.items() if key in values}
    for key, field in OLDER.items():
        if field in limits and getattr(resources.limits, field) not in (None, limits[field]):
            what = f"{field} is limited twice, with different values"
            raise Wrong(node.lines[key], what, "keep `deploy.resources.limits`")
    reserved = {"memory": values["mem_reservation"]} if "mem_reservation" in values else {}
    return Resources(
        limits=Amounts(**{**resources.limits.model_dump(), **limits}),
        reservations=Amounts(**{**resources.reservations.model_dump(), **reserved}),
    )
