"""Which name servers a Docker engine inside a host can use: its own resolv.conf names only 127.0.0.11."""

from __future__ import annotations

import ipaddress
from pathlib import Path

_RESOLV_CONFS = (Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf"))
"""The second is where systemd-resolved keeps the real ones when the first names its stub, 127.0.0.53."""
_PUBLIC = ["9.9.9.9", "1.1.1.1"]
"""What is left where the machine names none: a laptop whose own resolver is reachable on loopback only."""


def upstream_dns(files: tuple[Path, ...] = _RESOLV_CONFS) -> list[str]:
    """This machine's name servers that a container can reach too: none on loopback, at most three."""
    for file in files:
        if file.is_file() and (servers := _reachable(file.read_text(encoding="utf-8"))):
            return servers[:3]  # resolv.conf(5): a resolver reads no more than three
    return list(_PUBLIC)


def _reachable(resolv_conf: str) -> list[str]:
    words = [line.split() for line in resolv_conf.splitlines()]
    return [line[1] for line in words if line[:1] == ["nameserver"] and len(line) > 1 and _is_routable(line[1])]


def _is_routable(address: str) -> bool:
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False  # a resolver would ignore the line as well
    return not (parsed.is_loopback or parsed.is_link_local)
