"""What a host that converges itself leaves to a push, and that it knows that it is the host."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any, cast

import pytest

from slipway.disruption import Disruption
from slipway.engine.alone import Alone
from slipway.engine.run import CONVERGE, Stage
from slipway.fleet import Fleet, Member
from slipway.problems import BadInput
from slipway.pull import NoTurn
from slipway.pull.own_host import refuse_elsewhere
from slipway.rollout import Peer, RollPolicy

EDGE, WORKER = Member("edge1", "192.0.2.21", ("nginx",)), Member("worker1", "192.0.2.11", ("workers",))
ALONE = Alone("worker1", Fleet("production", (EDGE, WORKER)), None, "0123 abcd", 300)
BEHIND = Stage(CONVERGE, "Services", through={"nginx": cast(Any, None)})
PEER = Peer("web", "192.0.2.11:18000", "r1")


@pytest.mark.parametrize(
    "disruption",
    [
        Disruption("web-1", drain=("192.0.2.11:18000",)),
        Disruption("web-1", admit=(PEER,), needs_turn=False),
        Disruption("web-1", admit_first=(PEER,)),
        Disruption("web-1", dismiss=("192.0.2.11:18000",)),
    ],
)
def test_what_edges_have_to_be_told_is_left(disruption: Disruption) -> None:
    """Whoever's turn it is; where nobody stands in front it is this host's own affair."""
    assert ALONE.why_left(BEHIND, disruption).startswith("requests come through edge1, which only a push tells")
    assert ALONE.why_left(replace(BEHIND, through={}), disruption) == ""
    assert replace(ALONE, fleet=Fleet("production", (WORKER,))).why_left(BEHIND, disruption) == ""


def test_a_restart_that_nobody_is_sent_to_is_not_left() -> None:
    """It waits for its turn, behind edges too."""
    assert ALONE.why_left(BEHIND, Disruption("restart postgresql")) == ""


def test_a_change_of_the_way_in_is_left() -> None:
    """Nothing on the host itself can confirm that others still get in."""
    assert "from outside" in ALONE.why_left(Stage(CONVERGE, "Firewall"), Disruption("firewall", is_confirmed=True))


def test_without_a_redis_there_is_no_turn() -> None:
    """It says where one is named."""
    with pytest.raises(NoTurn, match=r"reconcile\.leases"), ALONE.turn("Services", RollPolicy()):
        pass
    ALONE.is_well()  # nothing to be said, and nobody to say it to


def test_it_runs_on_the_host_that_it_is_told_of_and_nowhere_else() -> None:
    """Another host's name, one that nobody has, one that is misspelt."""
    here = Member("here", "127.0.0.1", ())
    fleet = Fleet("production", (here, WORKER))
    with pytest.raises(BadInput, match=r"192\.0\.2\.11 is no address of the host"):
        refuse_elsewhere(fleet, "worker1")
    with pytest.raises(BadInput, match="worker1"):
        refuse_elsewhere(fleet, "wroker1")
    if os.geteuid() == 0:
        refuse_elsewhere(fleet, "here")
    else:
        with pytest.raises(BadInput, match="is root's to run"):
            refuse_elsewhere(fleet, "here")
