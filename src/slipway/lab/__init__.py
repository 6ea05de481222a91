"""Container hosts on this machine that stand for bare hosts: in the demo, in the tests, on a laptop.

`slipway.lab.lab.Lab` starts and stops them. What is here costs inventories nothing: it asks no engine.
"""

from __future__ import annotations

from slipway.lab.dns import upstream_dns
from slipway.lab.inventory import inventory_group

__all__ = ["apt_proxy", "inventory_group", "upstream_dns"]


def apt_proxy() -> str | None:
    """The labs' package cache as `docker build` and this machine reach it; None where it is not up."""
    from slipway.lab.apt_cache import bridge_proxy
    from slipway.lab.engine import connect

    return bridge_proxy(connect())
