"""Container hosts on this machine that stand for bare hosts: in the demo, in the tests, on a laptop."""

from __future__ import annotations

from slipway.lab.dns import upstream_dns
from slipway.lab.inventory import inventory_group

__all__ = ["inventory_group", "upstream_dns"]
