"""The result of a reconcile: what it says, and that it says the same again from JSON."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from slipway.holds import Hold
from slipway.reconcile.result import EXIT, Difference, HostReport, Outcome, Reconciliation

HOLD = Hold(
    "ab12", "role", "nginx", "we look at it", "ada@ops1", "2026-11-20T08:00:00+00:00", "2026-11-20T18:00:00+00:00"
)
DRIFT = Difference("drift", "base", "Write the message of the day", "/etc/motd", "content", "-a\n+b\n")
OWED = Difference("owed", "nginx", "Reload", "nginx", "owed reload", is_mended=True)
TOLD = Reconciliation(
    "lab", "found", "drift", "4f2c-1", "4f2c-2", "0123456789ab-dirty", "ada@ops1", "2026-11-20T08:00:00+00:00", 1.25,
    (
        HostReport("web1", release="4f2c-1", differences=(DRIFT,), holds=(HOLD,)),
        HostReport("web2", False, "no route to host", holds=(HOLD,)),
        HostReport("web3", differences=(OWED,)),
    ),
    ("something else",),
)  # fmt: skip


def test_it_is_the_same_after_it_was_written_and_read() -> None:
    """Nothing of it is lost on the way through JSON."""
    assert Reconciliation.from_json(TOLD.to_json()) == TOLD


def test_what_is_no_result_is_refused() -> None:
    """Another format, a damaged file and another document are told apart from a result."""
    other = json.dumps({**json.loads(TOLD.to_json()), "format": 2})
    for text in ("[]", "{}", other, TOLD.to_json().replace('"inventory"', '"inventories"'), "nothing"):
        with pytest.raises(ValueError):
            Reconciliation.from_json(text)


def test_what_is_mended_is_counted_no_longer() -> None:
    """Counts are of what is left, per host and in all."""
    assert (TOLD.count("drift"), TOLD.count("owed"), TOLD.count("drift", "web3")) == (1, 0, 0)


def test_a_hold_on_two_hosts_is_one_hold() -> None:
    """With the hosts that it stands on; and who was not reached is named."""
    assert TOLD.holds == {"ab12": (HOLD, ("web1", "web2"))}
    assert TOLD.unreachable == ("web2",)


def test_what_a_host_has_left_is_found_whatever_its_kind() -> None:
    """It was to be brought and was not: that is no clean run, and no mended one."""
    left = replace(DRIFT, kind="intended", left="it is nobody's turn")
    told = Reconciliation("lab", "clean", "all", hosts=(HostReport("web1", differences=(left, OWED)),))
    assert told.concluded().outcome == "found"
    mended = replace(told, hosts=(HostReport("web1", differences=(replace(left, left=""), OWED)),))
    assert mended.concluded().outcome == "mended"


@pytest.mark.parametrize("outcome", EXIT)
def test_the_exit_code_says_the_outcome(outcome: Outcome) -> None:
    """0 all as wanted, 1 failed, 3 drift pending, 75 somebody else is at work."""
    wanted = {"clean": 0, "mended": 0, "held": 0, "failed": 1, "found": 3, "yielded": 75}
    assert Reconciliation("lab", outcome).exit_code == wanted[outcome]
    assert json.loads(Reconciliation("lab", outcome).to_json())["exit_code"] == wanted[outcome]
