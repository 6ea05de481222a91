"""Brings a host its firewall."""

from __future__ import annotations

from roles.firewall.admitted import admitted
from roles.firewall.data import Firewall
from slipway.context import Context
from slipway.facts.firewall import RULES, UNIT
from slipway.ops import files, firewall, packages, units
from slipway.render import render


def tasks(data: Firewall, ctx: Context) -> None:
    """The table, in force, confirmed by a new log-in, and loaded at boot; nothing of it where it is not wanted."""
    if not data.enabled:
        firewall.gone(name="Have no firewall of ours")
        return
    packages.installed(names=["nftables"], start=False, name="Install nftables")
    files.directory(path=RULES.rpartition("/")[0], name="Make the directory of the rules")
    unit = render("firewall/slipway-firewall.service.j2", rules=RULES)
    units.unit_file(filename=UNIT, content=unit, name="Write the unit of the firewall")
    content = render("firewall/firewall.nft.j2", admitted=admitted(data, ctx))
    firewall.rules(content=content, seconds=data.confirm_seconds, name="Load the rules")
    # After that: what starts at boot has been confirmed.
    units.unit(unit=UNIT, name="Load the rules at boot")
