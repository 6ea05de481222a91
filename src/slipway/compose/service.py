"""Reader of one application service."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from slipway.compose import refused
from slipway.compose.deploying import deploy, joined_resources
from slipway.compose.environment import env_files, environment
from slipway.compose.extending import service_extension
from slipway.compose.extension import ServiceExtension
from slipway.compose.model import Service
from slipway.compose.mounts import application_volume, exposed, ports
from slipway.compose.nodes import Finding, ListNode, MapNode, Node, Scalar, Told, Wrong
from slipway.compose.parts import Build, Healthcheck, Logging, Resources, ServiceSecret, Ulimit
from slipway.compose.reading import Reading
from slipway.compose.scalars import (
    boolean,
    duration,
    integer,
    list_of,
    mapping,
    matching,
    number,
    one_of,
    one_or_list_of,
    pairs,
    scalar,
    size,
    text,
    texts,
    words,
)
from slipway.compose.table import Key, Table
from slipway.problems import did_you_mean

_CAPABILITY = matching(r"(CAP_)?[A-Z][A-Z_]*|ALL", "a capability", "write it like NET_BIND_SERVICE, or ALL")
_STATE = one_of("service_started", "service_healthy", "service_completed_successfully")
_HOST = re.compile(r"([A-Za-z0-9._-]+)[:=](\[[0-9A-Fa-f:.]+\]|[0-9A-Fa-f:.]+|host-gateway)")
_IMAGE = re.compile(
    r"(?P<name>[a-z0-9][A-Za-z0-9._:/-]*?)(:(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(?P<digest>@sha256:[0-9a-f]{64})?"
)

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


def _image(node: Node, reading: Reading) -> str:
    found = text(node, reading)
    if not _IMAGE.fullmatch(found):
        raise Wrong(node.line, f"{found!r} is not an image reference", "write it like registry/name:tag, lower case")
    return found


def image_tag(image: str) -> tuple[str, str, str]:
    """Name, tag and digest of an image reference; an empty string for what is not there."""
    match = _IMAGE.fullmatch(image)
    return (match["name"], match["tag"] or "", match["digest"] or "") if match else (image, "", "")


def _build(node: Node, reading: Reading) -> Build:
    told = len(reading.problems)
    values = {"context": text(node, reading)} if isinstance(node, Scalar) else BUILD.read(node, reading)
    written = values.get("context", ".")
    if "://" in written or written.startswith("git@"):
        raise Wrong(
            node.line, f"the build context {written} is not a directory", "check the source out beside the file"
        )
    context = (reading.directory / written).resolve()
    dockerfile = context / values.get("dockerfile", "Dockerfile")
    if not context.is_dir():
        raise Wrong(node.line, f"the build context {written} is not a directory", "paths start at the Compose file")
    if not dockerfile.is_file():
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


def _healthcheck(node: Node, reading: Reading) -> Healthcheck:
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


def _secret(node: Node, reading: Reading) -> ServiceSecret:
    told = len(reading.problems)
    values = {"source": text(node, reading)} if isinstance(node, Scalar) else SECRET.read(node, reading)
    target = values.get("target") or values.get("source", "")
    values["target"] = target if target.startswith("/") else f"/run/secrets/{target}"
    as_map = node if isinstance(node, MapNode) else MapNode({}, {}, node.line)
    made = SECRET.made(ServiceSecret, values, as_map, reading)
    if len(reading.problems) > told:
        raise Told
    return made


def _dependencies(node: Node, reading: Reading) -> dict[str, str]:
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


def _ulimits(node: Node, reading: Reading) -> dict[str, Ulimit]:
    found: dict[str, Ulimit] = {}
    for name, value in mapping(node):
        with reading.under(name):
            limit = reading.attempt(_ulimit, value)
        if limit is not None:
            found[name] = limit
    return found


def _ulimit(node: Node, reading: Reading) -> Ulimit:
    if isinstance(node, MapNode):
        return ULIMIT.build(Ulimit, node, reading)
    both = integer(node, reading)
    return ULIMIT.made(Ulimit, {"soft": both, "hard": both}, MapNode({}, {}, node.line), reading)


def _extra_hosts(node: Node, reading: Reading) -> dict[str, str]:
    if isinstance(node, MapNode):
        return pairs(node, reading)
    return dict(list_of(_extra_host)(node, reading))


def _extra_host(node: Node, reading: Reading) -> tuple[str, str]:
    found = text(node, reading)
    match = _HOST.fullmatch(found)
    if match is None:
        raise Wrong(node.line, f"{found!r} is not a name and an address", "write it like db.example.com=10.0.0.5")
    return match[1], match[2].strip("[]")


def _networks(node: Node, reading: Reading) -> tuple[str, ...]:
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


def _restart(node: Node, reading: Reading) -> dict[str, Any]:
    found = text(scalar(node, "a string"), reading)
    policy, _, attempts = found.partition(":")
    if policy not in ("no", "always", "unless-stopped", "on-failure") or (attempts and policy != "on-failure"):
        raise Wrong(
            node.line, f"{found!r} is no restart policy", "write no, always, unless-stopped, on-failure or on-failure:5"
        )
    if attempts and not re.fullmatch(r"[1-9][0-9]{0,8}", attempts):
        raise Wrong(node.line, f"{attempts!r} is not a number of attempts", "write it like on-failure:5")
    return {"restart": policy, "restart_attempts": int(attempts) if attempts else None}


def _logging(node: Node, reading: Reading) -> Logging:
    return LOGGING.build(Logging, node, reading)


SERVICE = Table(
    supported={
        "image": Key("image", _image),
        "build": Key("build", _build),
        "command": Key("command", words),
        "entrypoint": Key("entrypoint", words),
        "environment": Key("environment", environment),
        "env_file": Key("env_file", env_files),
        "secrets": Key("secrets", list_of(_secret)),
        "healthcheck": Key("healthcheck", _healthcheck),
        "depends_on": Key("depends_on", _dependencies),
        "volumes": Key("volumes", list_of(application_volume)),
        "ports": Key("ports", ports),
        "expose": Key("expose", exposed),
        "networks": Key("networks", _networks),
        "container_name": Key("container_name", text),
        "user": Key("user", text),
        "group_add": Key("group_add", texts),
        "working_dir": Key("working_dir", text),
        "read_only": Key("read_only", boolean),
        "init": Key("init", boolean),
        "cap_add": Key("cap_add", list_of(_CAPABILITY)),
        "cap_drop": Key("cap_drop", list_of(_CAPABILITY)),
        "security_opt": Key("security_opt", texts),
        "tmpfs": Key("tmpfs", one_or_list_of(text)),
        "shm_size": Key("shm_size", size),
        "sysctls": Key("sysctls", pairs),
        "ulimits": Key("ulimits", _ulimits),
        "labels": Key("labels", pairs),
        "extra_hosts": Key("extra_hosts", _extra_hosts),
        "dns": Key("dns", one_or_list_of(text)),
        "dns_search": Key("dns_search", one_or_list_of(text)),
        "hostname": Key("hostname", text),
        "stop_signal": Key("stop_signal", matching(r"(SIG)?[A-Z0-9+-]+|[0-9]+", "a signal", "write it like SIGTERM")),
        "stop_grace_period": Key("stop_grace_period", duration),
        "restart": Key("restarting", _restart),
        "logging": Key("logging", _logging),
        "deploy": Key("deploy", deploy),
        "scale": Key("scale", integer),
        "cpus": Key("cpus", number),
        "mem_limit": Key("mem_limit", size),
        "mem_reservation": Key("mem_reservation", size),
        "pids_limit": Key("pids_limit", integer),
        "x-slipway": Key("x", service_extension),
    },
    refused=refused.SERVICE_REFUSED,
    noted=refused.SERVICE_NOTED,
)

_NOT_FIELDS = (
    *("deploy", "scale", "cpus", "mem_limit", "mem_reservation", "pids_limit", "env_file", "restarting"),
    *("networks", "container_name", "constraint_group"),
)


def service(stack: str, name: str, node: Node, reading: Reading) -> Service:
    """One application service. Raises Told where anything in it is wrong, after writing down all of it."""
    told = len(reading.problems)
    values = SERVICE.read(node, reading)
    _refuse_imageless(values, mapping(node), reading)
    with_deploy = {**values, **values.get("restarting", {}), **values.get("deploy", {})}
    fields = {**with_deploy, **_joined(with_deploy, mapping(node), reading)}
    fields = {key: value for key, value in fields.items() if key not in _NOT_FIELDS}
    made = SERVICE.made(Service, fields, node, reading, stack=stack, name=name)
    if len(reading.problems) > told:
        raise Told
    return made


def _refuse_imageless(values: dict[str, Any], node: MapNode, reading: Reading) -> None:
    if "image" not in node.entries and "build" not in node.entries:
        reading.report(
            Finding(node.line, "neither `image` nor `build`", "name the image, or the directory it is built from")
        )
    image = values.get("image")
    if image is None or "build" in node.entries:
        return
    _, tag, digest = image_tag(image)
    if not digest and tag in ("", "latest"):
        what = f"the image {image} is not one thing: `latest` changes under a release"
        reading.report(Finding(node.lines["image"], what, "name a version, or a digest: name@sha256:..."))


def _joined(values: dict[str, Any], node: MapNode, reading: Reading) -> dict[str, Any]:
    """Fields that more than one key decides."""
    joined: dict[str, Any] = {"environment": {**values.get("env_file", {}), **values.get("environment", {})}}
    resources = reading.attempt(
        lambda each, reading: joined_resources(values, values.get("resources", Resources()), each.line), node
    )
    joined["resources"] = resources or Resources()
    if "scale" in values:
        if values.get("replicas", values["scale"]) != values["scale"]:
            reading.report(
                Finding(node.lines["scale"], "`scale` and `deploy.replicas` differ", "keep `deploy.replicas`")
            )
        joined["replicas"] = values["scale"]
    group = values.get("constraint_group")
    if group:
        joined["x"] = _grouped(values.get("x"), group, node, reading)
    return joined


def _grouped(x: ServiceExtension | None, group: str, node: MapNode, reading: Reading) -> ServiceExtension:
    if x is not None and "group" in x.model_fields_set and x.group != group:
        what = f"x-slipway.group is {x.group}, the placement constraint says {group}"
        reading.report(Finding(reading.line("services"), what, "keep x-slipway.group"))
    return (x or ServiceExtension()).model_copy(update={"group": group})
