"""What a host has to have for its firewall."""

from __future__ import annotations

from roles.firewall.data import Firewall
from slipway.context import Context
from slipway.needs import Needs, Packages


def needs(data: Firewall, ctx: Context) -> Needs:
    """Its package, where there is to be one."""
    return Needs(packages=(Packages(("nftables",), "the firewall", 10, 100),)) if data.enabled else Needs()
