"""The hosts as a contestant reaches them: directly, or each through a port of its own that delays. Pure."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

USER = "ops"
"""The account on the hosts: key only, sudo without a password."""


class Keys(NamedTuple):
    """Files that every contestant logs in with."""

    private: Path
    known_hosts: Path


class Target(NamedTuple):
    """One host."""

    name: str
    address: str
    """Its own one, which tells it from the others."""
    reached: str
    """Where its sshd is connected to."""
    port: int = 22


def inventory(targets: list[Target], keys: Keys, group: str = "bench") -> str:
    """An inventory for pyinfra, stock or not."""
    rows = [(each.name, connection_data(each, keys)) for each in targets]
    lines = "".join(f"    {row!r},\n" for row in rows)
    return f"{group} = [\n{lines}]\n"


def connection_data(target: Target, keys: Keys) -> dict[str, str | int | bool]:
    """How pyinfra reaches a host and becomes root there; keys are checked strictly, by everybody."""
    return {
        "address": target.address,
        "ssh_hostname": target.reached,
        "ssh_port": target.port,
        "ssh_user": USER,
        "ssh_key": str(keys.private),
        "ssh_known_hosts_file": str(keys.known_hosts),
        "ssh_strict_host_key_checking": "yes",
        "_sudo": True,
    }


def ssh_options(keys: Keys) -> list[str]:
    """Options of ssh itself, for whoever calls it."""
    return [
        "-F/dev/null",
        "-oBatchMode=yes",
        "-oIdentitiesOnly=yes",
        f"-oIdentityFile={keys.private}",
        "-oStrictHostKeyChecking=yes",
        f"-oUserKnownHostsFile={keys.known_hosts}",
        "-oLogLevel=ERROR",
    ]


def known_hosts(targets: list[Target], public_key: str) -> str:
    """A line for each place that a host is reached at; the light hosts have one key between them."""
    return "".join(known_hosts_line(each, public_key) for each in targets)


def known_hosts_line(target: Target, public_key: str) -> str:
    """One host's."""
    place = target.reached if target.port == 22 else f"[{target.reached}]:{target.port}"
    return f"{place} {public_key}\n"
