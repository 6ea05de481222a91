"""Reader of one application service."""

from __future__ import annotations

import re
from typing import Any

from slipway.compose import refused
from slipway.compose.container import (
    build,
    dependencies,
    extra_hosts,
    healthcheck,
    logging,
    networks,
    restart,
    secret,
    ulimits,
)
from slipway.compose.deploying import deploy, joined_resources
from slipway.compose.environment import env_files, environment
from slipway.compose.extending import service_extension
from slipway.compose.extension import ServiceExtension
from slipway.compose.model import Service
from slipway.compose.mounts import application_volume, exposed, ports
from slipway.compose.nodes import Finding, MapNode, Node, Told, Wrong
from slipway.compose.parts import Amounts, Resources
from slipway.compose.reading import Reading
from slipway.compose.scalars import (
    boolean,
    duration,
    integer,
    list_of,
    mapping,
    matching,
    number,
    one_or_list_of,
    pairs,
    size,
    text,
    texts,
    words,
)
from slipway.compose.table import Key, Table, limited

_CAPABILITY = matching(r"(CAP_)?[A-Z][A-Z_]*|ALL", "a capability", "write it like NET_BIND_SERVICE, or ALL")
_IMAGE = re.compile(
    r"(?P<name>[a-z0-9][A-Za-z0-9._:/-]*?)(:(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(?P<digest>@sha256:[0-9a-f]{64})?"
)


def _image(node: Node, reading: Reading) -> str:
    found = text(node, reading)
    if not _IMAGE.fullmatch(found):
        raise Wrong(node.line, f"{found!r} is not an image reference", "write it like registry/name:tag, lower case")
    return found


def image_tag(image: str) -> tuple[str, str, str]:
    """Name, tag and digest of an image reference; an empty string for what is not there."""
    match = _IMAGE.fullmatch(image)
    return (match["name"], match["tag"] or "", match["digest"] or "") if match else (image, "", "")


SERVICE = Table(
    supported={
        "image": Key("image", _image),
        "build": Key("build", build),
        "command": Key("command", words),
        "entrypoint": Key("entrypoint", words),
        "environment": Key("environment", environment),
        "env_file": Key("env_file", env_files),
        "secrets": Key("secrets", list_of(secret)),
        "healthcheck": Key("healthcheck", healthcheck),
        "depends_on": Key("depends_on", dependencies),
        "volumes": Key("volumes", list_of(application_volume)),
        "ports": Key("ports", ports),
        "expose": Key("expose", exposed),
        "networks": Key("networks", networks),
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
        "ulimits": Key("ulimits", ulimits),
        "labels": Key("labels", pairs),
        "extra_hosts": Key("extra_hosts", extra_hosts),
        "dns": Key("dns", one_or_list_of(text)),
        "dns_search": Key("dns_search", one_or_list_of(text)),
        "hostname": Key("hostname", text),
        "stop_signal": Key("stop_signal", matching(r"(SIG)?[A-Z0-9+-]+|[0-9]+", "a signal", "write it like SIGTERM")),
        "stop_grace_period": Key("stop_grace_period", duration),
        "restart": Key("restarting", restart),
        "logging": Key("logging", logging),
        "deploy": Key("deploy", deploy),
        "scale": Key("scale", limited(Service, "replicas", integer)),
        "cpus": Key("cpus", limited(Amounts, "cpus", number)),
        "mem_limit": Key("mem_limit", limited(Amounts, "memory", size)),
        "mem_reservation": Key("mem_reservation", limited(Amounts, "memory", size)),
        "pids_limit": Key("pids_limit", limited(Amounts, "pids", integer)),
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
    _check_container_name(values, fields.get("replicas", 1), mapping(node), reading)
    made = SERVICE.made(Service, fields, node, reading, stack=stack, name=name)
    if len(reading.problems) > told:
        raise Told
    return made


def _check_container_name(values: dict[str, Any], replicas: int | None, node: MapNode, reading: Reading) -> None:
    if "container_name" not in values:
        return
    line = node.lines["container_name"]
    if replicas != 1:
        what = "container_name with several replicas: each container has its own name"
        reading.report(Finding(line, what, "remove it"))
    reading.note(line, "container_name: left out: containers are named after stack, service and replica")


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
        called = "is `latest`" if tag else "has no tag, so it is `latest`"
        what = f"the image {image} {called}, which changes under a release"
        reading.report(Finding(node.lines["image"], what, "name a version, or a digest: name@sha256:..."))


def _joined(values: dict[str, Any], node: MapNode, reading: Reading) -> dict[str, Any]:
    """Fields that more than one key decides."""
    joined: dict[str, Any] = {"environment": {**values.get("env_file", {}), **values.get("environment", {})}}
    resources = reading.attempt(
        lambda each, reading: joined_resources(values, values.get("resources", Resources()), mapping(each)), node
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
        reading.report(Finding(node.lines["deploy"], what, "keep x-slipway.group"))
    return (x or ServiceExtension()).model_copy(update={"group": group})
