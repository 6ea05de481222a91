"""Readers of the parts of a container: build, health check, secrets, dependencies, limits, networks, restart."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from slipway.compose import refused
from slipway.compose.environment import environment
from slipway.compose.nodes import Finding, ListNode, MapNode, Node, Scalar, Told, Wrong
from slipway.compose.parts import Build, Healthcheck, Logging, ServiceSecret, Ulimit
from slipway.compose.reading import Reading, absolute, is_there
from slipway.compose.scalars import (
    boolean,
    duration,
    integer,
    list_of,
    mapping,
    matching,
    one_of,
    pairs,
    scalar,
    text,
    texts,
)
from slipway.compose.table import Key, Table
from slipway.problems import did_you_mean

_CAPABILITY = matching(r"(CAP_)?[A-Z][A-Z_]*|ALL", "a capability", "write it like NET_BIND_SERVICE, or ALL")
_STATE = one_of("service_started", "service_healthy", "service_completed_successfully")
_TARGET = re.compile(r"(/[^/\x00-\x1f]+)+")
_HOST = re.compile(r"([A-Za-z0-9._-]+)[:=](\[[0-9A-Fa-f:.]+\]|[0-9A-Fa-f:.]+|host-gateway)")


BUILD = Table(
    supported={
        "context": Key("context", text),
        "dockerfile": Key("dockerfile", text),
        "args": Key("args", environment),
        "target": Key("target", text),
    },
    refused=refused.BUILD_REFUSED,
    noted=refused.BUILD_NOTED,
)
HEALTHCHECK = Table(
    supported={
        "test": Key("test", lambda node, reading: _test(node, reading)),
        "interval": Key("interval", duration),
        "timeout": Key("timeout", duration),
        "start_period": Key("start_period", duration),
        "start_interval": Key("start_interval", duration),
        "retries": Key("retries", integer),
        "disable": Key("disabled", boolean),
    },
)
SECRET = Table(
    supported={
        "source": Key("source", text),
        "target": Key("target", text),
        "uid": Key("uid", integer),
        "gid": Key("gid", integer),
        "mode": Key("mode", lambda node, reading: _mode(node, reading)),
    },
)
LOGGING = Table(
    supported={
        "driver": Key("driver", one_of("json-file", "local", "journald", "syslog", "fluentd", "gelf", "none")),
        "options": Key("options", pairs),
    },
)
ULIMIT = Table(supported={"soft": Key("soft", integer), "hard": Key("hard", integer)})
DEPENDENCY = Table(
    supported={
        "condition": Key("condition", lambda node, reading: _condition(node, reading)),
        "required": Key("required", boolean),
    },
    refused=refused.DEPENDENCY_REFUSED,
)
ATTACHMENT = Table(supported={}, refused=refused.ATTACHMENT_REFUSED)


def build(node: Node, reading: Reading) -> Build:
    told = len(reading.problems)
    values = {"context": text(node, reading)} if isinstance(node, Scalar) else BUILD.read(node, reading)
    written = values.get("context", ".")
    if "://" in written or written.startswith("git@"):
        raise Wrong(
            node.line, f"the build context {written} is not a directory", "check the source out beside the file"
        )
    context = absolute(reading.directory / written)
    dockerfile = context / values.get("dockerfile", "Dockerfile")
    if not is_there(context, Path.is_dir):
        raise Wrong(node.line, f"the build context {written} is not a directory", "paths start at the Compose file")
    if not is_there(dockerfile, Path.is_file):
        raise Wrong(node.line, f"the build context {written} has no {values.get('dockerfile', 'Dockerfile')}", "")
    if len(reading.problems) > told:
        raise Told
    return Build(**{**values, "context": Path(context)})


def _test(node: Node, reading: Reading) -> dict[str, Any]:
    if isinstance(node, Scalar):
        return {"test": (text(node, reading),), "shell": True}
    found = texts(node, reading)
    match found:
        case ("NONE",):
            return {"disabled": True}
        case ("CMD", _, *_):
            return {"test": found[1:]}
        case ("CMD-SHELL", _):
            return {"test": found[1:], "shell": True}
    raise Wrong(
        node.line, "a test begins with CMD, CMD-SHELL or NONE", 'write ["CMD", "curl", "-f", "http://localhost/"]'
    )


def healthcheck(node: Node, reading: Reading) -> Healthcheck:
    told = len(reading.problems)
    values = HEALTHCHECK.read(node, reading)
    values.update(values.pop("test", {}))
    made = HEALTHCHECK.made(Healthcheck, values, node, reading)
    if len(reading.problems) > told:
        raise Told
    return made


def _mode(node: Node, reading: Reading) -> int:
    found = text(node, reading)
    if not re.fullmatch(r"0o?[0-7]{3,4}", found):
        raise Wrong(node.line, f"{found!r} is not a mode in octal", "write it like 0400")
    return int(found.removeprefix("0o"), 8)


def secret(node: Node, reading: Reading) -> ServiceSecret:
    told = len(reading.problems)
    values = {"source": text(node, reading)} if isinstance(node, Scalar) else SECRET.read(node, reading)
    target = values.get("target") or values.get("source", "")
    values["target"] = target if target.startswith("/") else f"/run/secrets/{target}"
    if not _TARGET.fullmatch(values["target"]) or ".." in target.split("/"):
        raise Wrong(node.line, f"{target!r} is no name or path of a file", "write it like token, or /etc/app/token")
    as_map = node if isinstance(node, MapNode) else MapNode({}, {}, node.line)
    made = SECRET.made(ServiceSecret, values, as_map, reading)
    if len(reading.problems) > told:
        raise Told
    return made


def dependencies(node: Node, reading: Reading) -> dict[str, str]:
    """Each service that must be there first, with the state it must be in."""
    if isinstance(node, ListNode):
        return dict(list_of(_plain_dependency)(node, reading))
    found: dict[str, str] = {}
    for name, value in mapping(node):
        with reading.under(name):
            values = reading.attempt(DEPENDENCY.read, value) or {}
            required = values.get("required", True)
            if _is_there(name, required, mapping(node).lines[name], reading):
                found[name] = values.get("condition", "service_started")
    return found


def _plain_dependency(node: Node, reading: Reading) -> tuple[str, str]:
    name = text(node, reading)
    _is_there(name, True, node.line, reading)
    return name, "service_started"


def _is_there(name: str, required: bool, line: int, reading: Reading) -> bool:
    known = reading.declared("services")
    if name not in known and required:
        reading.report(Finding(line, f"the service {name!r} is not in this file", did_you_mean(name, known)))
    elif name not in known:
        reading.note(line, "left out: it is not in this file, and not required")
    return name in known


def _condition(node: Node, reading: Reading) -> str:
    found = str(_STATE(node, reading))
    if found == "service_completed_successfully":
        what = "a service that ends is not supported: it would run on every start, on every host"
        raise Wrong(
            node.line, what, "run it once for each release: top-level x-slipway.migrate with service and command"
        )
    return found


def ulimits(node: Node, reading: Reading) -> dict[str, Ulimit]:
    found: dict[str, Ulimit] = {}
    for name, value in mapping(node):
        with reading.under(name):
            limit = reading.attempt(_ulimit, value) if re.fullmatch("[a-z]+", name) else None
            if not re.fullmatch("[a-z]+", name):
                reading.report(Finding(value.line, "is no limit of the kernel", "write it like nofile or nproc"))
        if limit is not None:
            found[name] = limit
    return found


def _ulimit(node: Node, reading: Reading) -> Ulimit:
    if isinstance(node, MapNode):
        return ULIMIT.build(Ulimit, node, reading)
    both = integer(node, reading)
    return ULIMIT.made(Ulimit, {"soft": both, "hard": both}, MapNode({}, {}, node.line), reading)


def extra_hosts(node: Node, reading: Reading) -> dict[str, str]:
    if isinstance(node, MapNode):
        return dict(_host(f"{name}={address}", node.lines[name]) for name, address in pairs(node, reading).items())
    return dict(list_of(_extra_host)(node, reading))


def _extra_host(node: Node, reading: Reading) -> tuple[str, str]:
    return _host(text(node, reading), node.line)


def _host(found: str, line: int) -> tuple[str, str]:
    match = _HOST.fullmatch(found)
    if match is None:
        raise Wrong(line, f"{found!r} is not a name and an address", "write it like db.example.com=10.0.0.5")
    return match[1], match[2].strip("[]")


def networks(node: Node, reading: Reading) -> tuple[str, ...]:
    """Names of networks; each must be declared, and says nothing else."""
    if isinstance(node, ListNode):
        names = texts(node, reading)
    else:
        names = tuple(mapping(node).entries)
        for name, value in mapping(node):
            if not (isinstance(value, Scalar) and value.kind == "null"):
                with reading.under(name):
                    reading.attempt(ATTACHMENT.read, value)
    declared = ["default", *reading.declared("networks")]
    for name in names:
        if name not in declared:
            reading.report(Finding(node.line, f"the network {name!r} is not declared", did_you_mean(name, declared)))
    return names


def restart(node: Node, reading: Reading) -> dict[str, Any]:
    found = text(scalar(node, "a string"), reading)
    policy, _, attempts = found.partition(":")
    if policy not in ("no", "always", "unless-stopped", "on-failure") or (attempts and policy != "on-failure"):
        raise Wrong(
            node.line, f"{found!r} is no restart policy", "write no, always, unless-stopped, on-failure or on-failure:5"
        )
    if attempts and not re.fullmatch(r"[1-9][0-9]{0,8}", attempts):
        raise Wrong(node.line, f"{attempts!r} is not a number of attempts", "write it like on-failure:5")
    return {"restart": policy, "restart_attempts": int(attempts) if attempts else None}


def logging(node: Node, reading: Reading) -> Logging:
    return LOGGING.build(Logging, node, reading)
