"""Readers of `volumes` and `ports`, in their short and long forms."""

from __future__ import annotations

import re
from typing import Any

from slipway.compose import refused
from slipway.compose.nodes import MapNode, Node, Wrong
from slipway.compose.parts import Port, Volume
from slipway.compose.reading import Reading
from slipway.compose.scalars import boolean, integer, list_of, one_of, size, text
from slipway.compose.table import Key, Table

DOCKER_SOCKET = ("/var/run/docker.sock", "/run/docker.sock")

_OPTIONS = {"rw", "ro", "z", "Z", "cached", "delegated", "consistent"}
_PORT_FORM = re.compile(r"(?:(?P<ip>\[[^\]]*\]|[^:]*):)?(?:(?P<published>[0-9-]*):)?(?P<target>[0-9-]+)")
_RANGE = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?")
_EXAMPLE = 'write it like "8000", "8000:80", "127.0.0.1:8000:80" or "8000-8002:80-82/udp"'

BIND = Table(supported={}, refused=refused.BIND_REFUSED, noted=refused.BIND_NOTED)
NAMED = Table(supported={}, refused=refused.NAMED_REFUSED)
TMPFS = Table(supported={"size": Key("size", size)}, refused=refused.TMPFS_REFUSED)
MOUNT = Table(
    supported={
        "type": Key("type", one_of("bind", "volume", "tmpfs", "npipe", "cluster", "image")),
        "source": Key("source", text),
        "target": Key("target", text),
        "read_only": Key("read_only", boolean),
        "bind": Key("bind", lambda node, reading: BIND.read(node, reading)),
        "volume": Key("volume", lambda node, reading: NAMED.read(node, reading)),
        "tmpfs": Key("tmpfs", lambda node, reading: TMPFS.read(node, reading)),
    },
    refused={"image": refused.MOUNT_REFUSED["image"]},
    noted=refused.MOUNT_NOTED,
)


def volume(node: Node, reading: Reading) -> Volume:
    """One mount, its source as written."""
    return _long_volume(node, reading) if isinstance(node, MapNode) else _short_volume(node, reading)


def _long_volume(node: Node, reading: Reading) -> Volume:
    values = MOUNT.read(node, reading)
    kind = values.get("type")
    if kind in refused.MOUNT_REFUSED:
        refusal = refused.MOUNT_REFUSED[kind]
        raise Wrong(node.line, f"a volume of type {kind} is not supported: {refusal.why}", refusal.instead)
    for name in ("bind", "volume"):
        values.pop(name, None)
    values.update(values.pop("tmpfs", {}))
    made = MOUNT.made(Volume, values, node, reading)
    return _checked(made, node.line)


def _short_volume(node: Node, reading: Reading) -> Volume:
    written = text(node, reading)
    parts = written.split(":")
    if len(parts) == 1:
        raise Wrong(
            node.line, f"{written!r} names no volume: its data would be lost with each release", f"write name:{written}"
        )
    source, target, options = parts[0], parts[1], ",".join(parts[2:]).split(",") if len(parts) > 2 else []
    unknown = [option for option in options if option not in _OPTIONS]
    if unknown or not source:
        raise Wrong(
            node.line, f"{written!r} is not a volume", "write it like name:/path, /host/path:/path or name:/path:ro"
        )
    kind: Any = "bind" if source[0] in "./~" else "volume"
    return _checked(Volume(type=kind, source=source, target=target, read_only="ro" in options), node.line)


def _checked(found: Volume, line: int) -> Volume:
    if not found.target.startswith("/"):
        raise Wrong(line, f"the target {found.target!r} is not an absolute path in the container")
    if found.type == "tmpfs" and found.source:
        raise Wrong(line, "a tmpfs has no source", "remove `source`")
    if found.type != "tmpfs" and not found.source:
        raise Wrong(line, "`source` is missing: the data would be lost with each release", "name a volume")
    if found.size is not None and found.type != "tmpfs":
        raise Wrong(line, f"`tmpfs.size` of a {found.type}", "remove it, or write `type: tmpfs`")
    return found


def application_volume(node: Node, reading: Reading) -> Volume:
    """One mount of an application: nothing relative, because the project's directory is not on the hosts."""
    found = volume(node, reading)
    if found.type == "bind" and not str(found.source).startswith("/"):
        what = f"{found.source} is a path of the project's directory, which is not on the hosts"
        raise Wrong(node.line, what, "bake it into the image, or use a named volume or secrets")
    return found


PORT = Table(
    supported={
        "target": Key("target", integer),
        "published": Key("published", integer),
        "protocol": Key("protocol", one_of("tcp", "udp")),
        "host_ip": Key("host_ip", text),
    },
    noted=refused.PORT_NOTED,
)


def ports(node: Node, reading: Reading) -> tuple[Port, ...]:
    """Every port of a list; a range is one port for each number."""
    return tuple(port for found in list_of(_ports)(node, reading) for port in found)


def _ports(node: Node, reading: Reading) -> tuple[Port, ...]:
    if isinstance(node, MapNode):
        return (PORT.build(Port, node, reading),)
    return _short_ports(text(node, reading), node)


def exposed(node: Node, reading: Reading) -> tuple[Port, ...]:
    """Ports that only other services use."""
    found = ports(node, reading)
    if any(port.published for port in found):
        raise Wrong(node.line, "an exposed port has no port of the host", "publish it under `ports`")
    return found


def _short_ports(written: str, node: Node) -> tuple[Port, ...]:
    body, _, protocol = written.partition("/")
    match = _PORT_FORM.fullmatch(body)
    if match is None or protocol not in ("", "tcp", "udp"):
        raise Wrong(node.line, f"{written!r} is not a port", _EXAMPLE)
    ip, published, target = match["ip"], match["published"], match["target"]
    if ip is not None and published is None:
        ip, published = None, ip  # "8000:80": the first part is a port, not an address
    targets, hosts = _range(target, written, node), _range(published, written, node) if published else [None]
    if hosts == [None]:
        hosts = [None] * len(targets)
    if len(hosts) != len(targets):
        raise Wrong(
            node.line, f"{written!r} has {len(hosts)} ports of the host for {len(targets)} of the container", _EXAMPLE
        )
    kind: Any = protocol or "tcp"
    pairs = zip(hosts, targets, strict=True)
    return tuple(Port(published=host, target=at, protocol=kind, host_ip=ip or None) for host, at in pairs)


def _range(written: str, whole: str, node: Node) -> list[Any]:
    match = _RANGE.fullmatch(written)
    if match is None:
        raise Wrong(node.line, f"{whole!r} is not a port", _EXAMPLE)
    first, last = int(match[1]), int(match[2] or match[1])
    if not 1 <= first <= last <= 65535:
        raise Wrong(node.line, f"{whole!r}: ports are 1 to 65535, the lower one first")
    return list(range(first, last + 1))
