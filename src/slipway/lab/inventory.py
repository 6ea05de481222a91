"""The lab as pyinfra's inventory sees it: hosts with their connection data, and nothing asked of an engine."""

from __future__ import annotations

from typing import Any

from slipway.lab.hosts import LabHost, hosts_of
from slipway.lab.layout import Layout, layout

OPS_USER = "ops"
"""The account of the hosts: key only, sudo without a password."""


def inventory_group(group: str, name: str | None = None) -> list[tuple[str, dict[str, Any]]]:
    """The hosts of a group, in order, each with the data pyinfra connects by. Raises BadInput for an unknown group."""
    lab = layout(name)
    return [(host.name, connection_data(lab, host)) for host in hosts_of(group)]


def connection_data(lab: Layout, host: LabHost) -> dict[str, Any]:
    """How to reach a host and become root on it."""
    address = lab.address(host.name)
    return {
        "address": address,
        "ssh_hostname": address,
        "ssh_port": 22,
        "ssh_user": OPS_USER,
        "ssh_key": str(lab.ssh_key),
        "ssh_known_hosts_file": str(lab.known_hosts),
        "_sudo": True,
    }
