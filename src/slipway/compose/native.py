"""Services that native roles provide: a Postgres, Redis or Nginx container of the file becomes data of the role."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from slipway.compose.deploying import joined_resources
from slipway.compose.environment import marked_environment
from slipway.compose.extension import ServiceExtension
from slipway.compose.model import NativeService
from slipway.compose.mounts import volume
from slipway.compose.native_servers import Written, nginx, postgres, redis
from slipway.compose.nodes import Finding, ListNode, MapNode, Node, Scalar, Told, Wrong
from slipway.compose.parts import Resources, SecretRef, Volume
from slipway.compose.reading import Reading
from slipway.compose.scalars import list_of, listing, mapping, scalar, split_words
from slipway.compose.service import SERVICE, image_tag
from slipway.compose.table import Key, Table

Kind = Literal["postgres", "redis", "nginx"]

_IMAGES: dict[str, tuple[Kind, tuple[str, ...]]] = {
    "postgres": ("postgres", ()),
    "pgvector/pgvector": ("postgres", ("vector",)),
    "ankane/pgvector": ("postgres", ("vector",)),
    "postgis/postgis": ("postgres", ("postgis",)),
    "redis": ("redis", ()),
    "nginx": ("nginx", ()),
    "nginxinc/nginx-unprivileged": ("nginx", ()),
}
_DATA = {"postgres": ("/var/lib/postgresql/data", "/var/lib/postgresql"), "redis": ("/data",), "nginx": ()}
_FITTING = {"group", "native", "extensions"}
_FIELDS = {"postgres": postgres, "redis": redis, "nginx": nginx}


def _marked_words(node: Node, reading: Reading) -> tuple[str, ...]:
    if isinstance(node, ListNode):
        return tuple(reading.marked(scalar(item, "a string")) for item in listing(node).items)
    return split_words(reading.marked(scalar(node, "a command")), node.line)


_CARRIED = ("image", "env_file", "secrets", "ports", "deploy", "cpus", "mem_limit", "mem_reservation", "x-slipway")
NATIVE = Table(
    supported={
        **{name: SERVICE.supported[name] for name in _CARRIED},
        "environment": Key("environment", marked_environment),
        "command": Key("command", _marked_words),
        "volumes": Key("volumes", list_of(volume)),
    },
    noted={
        name: "not carried over: the native role has its own way"
        for name in (*SERVICE.supported, *SERVICE.refused, *SERVICE.noted)
        if name not in (*_CARRIED, "environment", "command", "volumes")
    },
)


def native_kind(node: Node, reading: Reading) -> Kind | None:
    """Which native role provides this service; None for an application. Raises nothing: what is wrong is told later."""
    entries = node.entries if isinstance(node, MapNode) else {}
    image = entries.get("image")
    if "build" in entries or not isinstance(image, Scalar) or _runs_as_container(entries.get("x-slipway")):
        return None
    try:
        return _known_image(reading.text(image))[0]
    except Wrong:
        return None


def _runs_as_container(extension: Node | None) -> bool:
    native = extension.entries.get("native") if isinstance(extension, MapNode) else None
    return isinstance(native, Scalar) and native.text.lower() in ("false", "no", "off")


def _known_image(image: str) -> tuple[Kind | None, tuple[str, ...]]:
    name = image_tag(image)[0]
    for prefix in ("docker.io/", "index.docker.io/"):
        name = name.removeprefix(prefix)
    name = re.sub(r"^(?:[^/]+/)?library/", "", name)
    return _IMAGES.get(name, (None, ()))


def _version(image: str) -> str | None:
    tag = image_tag(image)[1]
    match = re.search(r"pg([0-9]+)", tag) or re.match(r"v?([0-9]+(?:\.[0-9]+)*)", tag)
    return match[1] if match else None


def native_service(
    name: str, kind: Kind, secrets: Mapping[str, SecretRef], node: Node, reading: Reading
) -> NativeService:
    """The service as data of its role. Raises Told where anything in it is wrong, after writing down all of it."""
    told = len(reading.problems)
    values = NATIVE.read(node, reading)
    x = values.get("x", ServiceExtension())
    _refuse_unfitting(kind, x, node, reading)
    given: dict[str, Any] = {
        "name": name,
        "kind": kind,
        "image": values.get("image", ""),
        "version": _version(values.get("image", "")),
        "group": _group(kind, x, values),
        "ports": values.get("ports", ()),
        "resources": reading.attempt(lambda each, reading: _resources(values, mapping(each)), node) or Resources(),
        "data_directory": _data_directory(kind, name, values.get("volumes", ()), reading),
    }
    written = _written(name, values, x, secrets, reading)
    if len(reading.problems) == told:  # what could not be read would be told as missing
        given.update(reading.attempt(lambda each, reading: _FIELDS[kind](written), node) or {})
    if len(reading.problems) > told:
        raise Told
    return NativeService(**given)


def _written(
    name: str, values: Mapping[str, Any], x: ServiceExtension, secrets: Mapping[str, SecretRef], reading: Reading
) -> Written:
    return Written(
        reading=reading,
        service=name,
        environment={**values.get("env_file", {}), **values.get("environment", {})},
        command=values.get("command", ()),
        mounted=values.get("secrets", ()),
        extensions=(*_known_image(values.get("image", ""))[1], *x.extensions),
        secrets=secrets,
    )


def _refuse_unfitting(kind: Kind, x: ServiceExtension, node: Node, reading: Reading) -> None:
    line = mapping(node).lines.get("x-slipway", node.line)
    fitting = _FITTING if kind == "postgres" else _FITTING - {"extensions"}
    for field in sorted(x.model_fields_set - fitting):
        hint = "remove it, or write x-slipway.native: false"
        reading.report(Finding(line, f"x-slipway.{field} of a native {kind}", hint))
    if not x.native:
        reading.report(Finding(line, "x-slipway.native may not be a variable", "write true or false itself"))


def _group(kind: Kind, x: ServiceExtension, values: Mapping[str, Any]) -> str:
    constraint = values.get("deploy", {}).get("constraint_group")
    return x.group if "group" in x.model_fields_set else constraint or kind


def _resources(values: Mapping[str, Any], node: MapNode) -> Resources:
    return joined_resources(values, values.get("deploy", {}).get("resources", Resources()), node)


def _data_directory(kind: Kind, name: str, volumes: tuple[Volume, ...], reading: Reading) -> str | None:
    """Where the file keeps the data on its host. Other mounts are told of: they are the role's to render."""
    found = None
    for each in volumes:
        if each.target.rstrip("/") not in _DATA[kind]:
            line = reading.line("services", name, "volumes")
            reading.note(line, f"{each.target}: not carried over: {_instead(kind, each)}")
        elif each.type == "bind" and str(each.source).startswith("/"):
            found = each.source
    return found


def _instead(kind: Kind, mount: Volume) -> str:
    if kind == "nginx":
        return "describe routes under x-slipway.edge of the services"
    if "initdb.d" in mount.target:
        return "make tables in migrations, under top-level x-slipway.migrate"
    return f"the native role renders its configuration; give settings in `command`, or in group data of {kind}"
