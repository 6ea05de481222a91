"""Data of the firewall role."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from slipway.addresses import Network
from slipway.role import RoleData

Port = Annotated[int, Field(ge=1, le=65535)]


class Rule(RoleData):
    """Who besides may reach what."""

    ports: Annotated[list[Port], Field(min_length=1)]
    """Ports that are let in."""
    protocol: Literal["tcp", "udp"] = "tcp"
    """Protocol of these ports."""
    sources: list[Network] = []
    """Networks or addresses that may; everybody where empty."""


class Firewall(RoleData):
    """What comes to a host is dropped, but for what is said here. Left alone unless enabled."""

    enabled: bool = False
    """Whether the host has a firewall of ours. Taken away, its table goes, and nothing is dropped by us any more."""
    ssh_from: list[Network] = []
    """Networks that may reach sshd, at the port that the inventory connects to; everybody where empty."""
    public_ports: list[Port] | None = None
    """TCP ports that everybody may reach; 80 and 443 on the edges, none elsewhere, where it is None."""
    from_fleet: list[Port] | None = None
    """TCP ports that members of the fleet reach by their private addresses; whatever they like where it is None."""
    extra_rules: list[Rule] = []
    """What is let in besides."""
    confirm_seconds: Annotated[int, Field(ge=15, le=600)] = 30
    """After a change, seconds until the host undoes it by itself unless Slipway has logged in anew."""
