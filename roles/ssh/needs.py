"""What a host has to have for its sshd settings."""

from __future__ import annotations

from roles.ssh.data import Ssh
from slipway.context import Context
from slipway.needs import Needs, Port

UNITS = ("ssh.service", "sshd.service", "ssh.socket", "init.scope")
"""Where systemd listens for it, that is in init.scope."""


def needs(data: Ssh, ctx: Context) -> Needs:
    """Its ports, where they are ours to say."""
    if not data.enabled:
        return Needs()
    addresses = data.listen_addresses or ["*"]
    return Needs(ports=tuple(Port(address, port, "sshd", UNITS) for address in addresses for port in data.ports))
