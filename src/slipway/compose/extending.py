"""Readers of `x-slipway`, of a service and of the stack."""

from __future__ import annotations

import re
from typing import Any

from slipway.compose.extension import (
    CanarySettings,
    Edge,
    Migration,
    RateLimit,
    Ready,
    Rollout,
    ServiceExtension,
)
from slipway.compose.nodes import MapNode, Node, Scalar, Wrong
from slipway.compose.reading import Reading
from slipway.compose.scalars import (
    boolean,
    duration,
    integer,
    listing,
    mapping,
    matching,
    number,
    one_of,
    one_or_list_of,
    seconds,
    size,
    text,
    texts,
    words,
)
from slipway.compose.table import Key, Table

_SERVER_NAME = r"(\*\.)?[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*"
_PATH = r"/[A-Za-z0-9._~!&'()*+,=:@%/-]*"
_RATE = re.compile(r"([0-9]{1,9})/(second|minute|s|m)")
_PERIODS = {"s": "second", "m": "minute"}

server_name = matching(_SERVER_NAME, "a server name", "write it like app.example.com or *.example.com")
url_path = matching(_PATH, "a path", "write it like / or /api/")
group_name = matching(
    r"[a-z_][a-z0-9_]*", "the name of an inventory group", "lower-case letters, digits and underscores"
)
# Nginx drops headers whose names have an underscore, so such a header would never be seen.
header_name = matching(r"[A-Za-z][A-Za-z0-9-]*", "the name of a header", "letters, digits and hyphens: X-User-Id")
extension_name = matching(r"[a-z][a-z0-9_-]*", "the name of a Postgres extension")
revision = matching(r"[A-Za-z0-9][A-Za-z0-9_.:+@-]*", "the name of a revision", "letters, digits and _ . : + @ -")
revisions = matching(
    r"[A-Za-z0-9_.:+@*?\[\]!-]+", "the name of a revision", "letters, digits and _ . : + @ -; `*` stands for anything"
)

RATE_LIMIT = Table(
    supported={
        "requests": Key("requests", integer),
        "per": Key("per", one_of("second", "minute")),
        "burst": Key("burst", integer),
    },
    allows_extensions=False,
)


def _rate_limit(node: Node, reading: Reading) -> RateLimit:
    if isinstance(node, MapNode):
        return RATE_LIMIT.build(RateLimit, node, reading)
    found = text(node, reading)
    match = _RATE.fullmatch(found)
    if match is None or int(match[1]) == 0:
        raise Wrong(
            node.line,
            f"{found!r} is not a rate",
            "write it like 10/second or 100/minute, or with requests, per and burst",
        )
    period: Any = _PERIODS.get(match[2], match[2])
    return RateLimit(requests=int(match[1]), per=period)


EDGE = Table(
    supported={
        "hosts": Key("hosts", one_or_list_of(server_name)),
        "port": Key("port", integer),
        "paths": Key("paths", one_or_list_of(url_path)),
        "websocket": Key("websocket", boolean),
        "balance": Key("balance", one_of("round_robin", "least_conn", "sticky_cookie", "sticky_address")),
        "read_timeout": Key("read_timeout", seconds),
        "rate_limit": Key("rate_limit", _rate_limit),
        "max_body": Key("max_body", size),
        "strip_prefix": Key("strip_prefix", boolean),
    },
    allows_extensions=False,
)
READY = Table(
    supported={
        "path": Key("path", url_path),
        "port": Key("port", integer),
        "timeout_seconds": Key("timeout_seconds", seconds),
    },
    allows_extensions=False,
)
SERVICE_EXTENSION = Table(
    supported={
        "group": Key("group", group_name),
        "edge": Key("edge", lambda node, reading: EDGE.build(Edge, node, reading)),
        "ready": Key("ready", lambda node, reading: node),
        "singleton": Key("singleton", boolean),
        "drain_seconds": Key("drain_seconds", seconds),
        "timeout_seconds": Key("timeout_seconds", seconds),
        "published_base": Key("published_base", integer),
        "allow_docker_socket": Key("allow_docker_socket", boolean),
        "native": Key("native", boolean),
        "extensions": Key("extensions", one_or_list_of(extension_name)),
    },
    allows_extensions=False,
)


def service_extension(node: Node, reading: Reading) -> ServiceExtension:
    """`x-slipway` of a service. Readiness is asked at the edge's port unless it names another."""
    values = SERVICE_EXTENSION.read(node, reading)
    ready, edge = values.pop("ready", None), values.get("edge")
    if ready is not None:
        with reading.under("ready"):
            values["ready"] = reading.attempt(
                lambda each, reading: _ready(each, reading, edge, "edge" in _keys(node)), ready
            )
    return SERVICE_EXTENSION.made(ServiceExtension, values, node, reading)


def _keys(node: Node) -> frozenset[str]:
    return frozenset(node.entries) if isinstance(node, MapNode) else frozenset()


def _ready(node: Node, reading: Reading, edge: Edge | None, edge_written: bool) -> Ready | None:
    values = {"path": url_path(node, reading)} if isinstance(node, Scalar) else READY.read(node, reading)
    if "port" not in values and "port" not in _keys(node):
        if edge is None and edge_written:
            return None  # the edge is wrong and told; its port may well be there
        if edge is None:
            raise Wrong(
                node.line,
                "`port` is missing: the service has no edge to take it from",
                "write {path: /ready, port: 8080}",
            )
        values["port"] = edge.port
    as_map = node if isinstance(node, MapNode) else MapNode({}, {}, node.line)
    return READY.made(Ready, values, as_map, reading)


def _command(node: Node, reading: Reading) -> tuple[str, ...]:
    return words(node, reading) if isinstance(node, Scalar) else texts(listing(node), reading)


MIGRATION = Table(
    supported={
        "service": Key("service", text),
        "command": Key("command", _command),
        "timeout_seconds": Key("timeout_seconds", seconds),
        "check": Key("check", _command),
        "revision": Key("revision", revision),
        "runs_on": Key("runs_on", one_or_list_of(revisions)),
        "still_runs": Key("still_runs", one_or_list_of(revisions)),
    },
    allows_extensions=False,
)
ROLLOUT = Table(
    supported={
        "first_host": Key("first_host", boolean),
        "promote_after": Key("promote_after", duration),
        "progress_deadline": Key("progress_deadline", duration),
        "min_healthy": Key("min_healthy", number),
        "moved_hosts": Key("moved_hosts", one_of("stay", "go_back")),
        "unreachable": Key("unreachable", one_of("refuse", "continue")),
    },
    allows_extensions=False,
)
CANARY = Table(
    supported={
        "weight": Key("weight", integer),
        "by": Key("by", one_of("cookie", "header", "address")),
        "header": Key("header", header_name),
    },
    allows_extensions=False,
)


def _rollout(node: Node, reading: Reading) -> Rollout:
    found = ROLLOUT.build(Rollout, node, reading)
    if found.promote_after is not None and not found.first_host:
        line = mapping(node).lines["promote_after"]
        raise Wrong(line, "promote_after without first_host: no host goes first", "write first_host: true")
    return found


def _canary(node: Node, reading: Reading) -> CanarySettings:
    found = CANARY.build(CanarySettings, node, reading)
    lines = mapping(node).lines
    if found.by == "header" and found.header is None:
        raise Wrong(lines["by"], "by: header, and `header` is missing", "name the header: header: X-User-Id")
    if found.by != "header" and found.header is not None:
        raise Wrong(lines["header"], f"a header, and the sessions are told by {found.by}", "write by: header")
    return found


STACK_EXTENSION = Table(
    supported={
        "migrate": Key("migration", lambda node, reading: MIGRATION.build(Migration, node, reading)),
        "rollout": Key("rollout", _rollout),
        "canary": Key("canary", _canary),
        "keep_releases": Key("keep_releases", integer),
    },
    allows_extensions=False,
)
