"""What an operator would see on a host with its firewall."""

from __future__ import annotations

from typing import Any

from roles.firewall.admitted import admitted
from roles.firewall.data import Firewall
from slipway.context import Context
from slipway.facts.firewall import LOADED, RULES, UNIT
from slipway.ops.guarded_script import GUARDED


def check_the_rules_are_in_force(host: Any, data: Firewall, ctx: Context) -> None:
    """The table drops what it is not told to let in, and is as it was loaded; where none is wanted there is none."""
    if not data.enabled:
        assert not host.file(RULES).exists
        assert host.run("nft list table inet slipway").failed, "the table is still there"
        return
    table = host.check_output("nft -s list table inet slipway")
    assert "policy drop" in table
    sum_of = "nft -n -s list table inet slipway | sha256sum | cut -d ' ' -f 1"
    assert host.check_output(sum_of) == host.file(LOADED).content_string.strip(), "the table was changed by hand"
    assert table.count(" accept\n") >= sum(len(rule.matches) for rule in admitted(data, ctx))


def check_it_is_loaded_at_boot(host: Any, data: Firewall, ctx: Context) -> None:
    """Its unit is enabled, and the rules on disk are ones that nft takes."""
    if data.enabled:
        assert host.service(UNIT).is_enabled
        assert host.service(UNIT).is_running
        assert host.run("nft -c -f %s", RULES).succeeded


def check_nothing_waits_for_its_confirmation(host: Any, data: Firewall, ctx: Context) -> None:
    """No change is about to be undone."""
    assert not host.file(GUARDED).exists, f"a change is not confirmed; see {GUARDED}"
