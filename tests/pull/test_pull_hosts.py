"""Hosts that converge themselves: nobody restarts a service while another one does, whatever becomes of a holder."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from slipway.engine.leaving import BEHIND
from slipway.lab.light import LightHosts
from slipway.pull.lease import FIRST_SECONDS, MARGIN
from slipway.pull.term import seconds_for
from tests.pull.fleet import SHARED, Toys, overlapping, told

pytestmark = pytest.mark.hosts

HOSTS = 20
STEP_LEASE = seconds_for(2, MARGIN)
"""Of the toy's restart, which says that it takes two seconds at most."""


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Toys]:
    light = LightHosts("turns", shared=SHARED)
    try:
        toys = Toys(light, tmp_path_factory.mktemp("pull"))
        toys.up(HOSTS)
        yield toys
    finally:
        light.down()


@pytest.fixture
def toys(fleet: Toys) -> Toys:
    fleet.forget(fleet.hosts)
    return fleet


def test_twenty_hosts_converge_themselves_and_no_two_restart_at_once(toys: Toys) -> None:
    """All begin at one moment; each mends itself whole and restarts once, one after the other."""
    toys.want(toys.hosts, "one")
    ended = toys.all_at_once(toys.hosts)
    bad = [each for each in ended if (each.code, each.found.outcome) != (0, "mended")]
    assert not bad, told(bad[0])
    restarts = toys.restarts(toys.hosts)
    assert sorted(each.host for each in restarts) == sorted(each.name for each in toys.hosts)
    assert overlapping(restarts) == []
    took = max(each.ended for each in ended) - ended[0].began
    print(f"{HOSTS} hosts at once: {took:.1f} s; restarts {restarts[-1].started - restarts[0].stopped:.1f} s")
    again = toys.all_at_once(toys.hosts[:3])
    assert [(each.code, each.found.outcome) for each in again] == [(0, "clean")] * 3
    assert len(toys.restarts(toys.hosts)) == HOSTS


def test_without_redis_nothing_is_taken_out_of_service_and_the_rest_is_mended(toys: Toys) -> None:
    """What needs a turn is left and told with its reason; the run after Redis is back does it."""
    one = toys.hosts[0]
    toys.want([one], "one", wait=1)
    with toys.without_redis():
        (ended,) = toys.all_at_once([one])
    assert (ended.code, ended.found.outcome) == (3, "found"), told(ended)
    assert toys.restarts([one]) == []
    assert toys.light.exec(one.name, ["cat", "/etc/toy", "/etc/issue"]) == "one\nof this project\n"
    restart, motd = ended.left
    assert restart.startswith(f"Redis at {toys.redis_address()}:6379 keeps the leases and cannot be used")
    assert motd == BEHIND
    (ended,) = toys.all_at_once([one])
    assert (ended.code, ended.found.outcome) == (0, "mended"), told(ended)
    assert len(toys.restarts([one])) == 1


def test_a_bad_change_costs_one_host(toys: Toys) -> None:
    """The others leave the step and say whose failure keeps them from it; with another change they go on, and so does
    the one that has failed."""
    three = toys.hosts[:3]
    toys.want(three, "bad")
    ended = toys.all_at_once(three)
    (failed,) = [each for each in ended if each.code == 1]
    others = [each for each in ended if each is not failed]
    assert "it does not come up with these settings" in failed.found.hosts[0].error
    for each in others:
        assert (each.code, each.found.outcome) == (3, "found"), told(each)
        assert f"it failed on {failed.host} in 'Toys'" in each.left[0]
        assert f"redis-cli HDEL slipway:all:failed {failed.host}" in each.left[0]
    assert toys.restarts(three) == []
    toys.want(three, "good")
    ended = toys.all_at_once(three)
    assert [each.found.outcome for each in ended] == ["mended"] * 3, told(ended[0])
    assert overlapping(toys.restarts(three)) == []
    assert toys.redis_cli("HGETALL", "slipway:all:failed") == ""


def test_a_mark_is_ended_by_hand(toys: Toys) -> None:
    """As the message says: the next host tries it."""
    one, other = toys.hosts[:2]
    toys.want([one, other], "bad")
    assert toys.all_at_once([one])[0].code == 1
    assert toys.all_at_once([other])[0].code == 3
    toys.redis_cli("HDEL", "slipway:all:failed", one.name)
    assert toys.all_at_once([other])[0].code == 1


def test_a_killed_holder_is_followed_when_its_lease_is_over_and_not_before(toys: Toys) -> None:
    """The step that it has begun goes on without it, and is over before anybody else's begins."""
    one, other = toys.hosts[:2]
    toys.want([one, other], "one", seconds=2)
    holder = toys.start(one)
    toys.wait_for(one, "toy stop")
    toys.signal(one, "KILL")
    killed = time.time()
    holder.communicate(timeout=30)
    (ended,) = toys.all_at_once([other])
    assert (ended.code, ended.found.outcome) == (0, "mended"), told(ended)
    restarts = toys.restarts([one, other])
    assert [each.host for each in restarts] == [one.name, other.name]
    assert overlapping(restarts) == []
    waited = restarts[1].stopped - killed
    # It was taken for a step of this length moments before the kill; the other one asks twice a second.
    assert STEP_LEASE - 3 < waited < STEP_LEASE + 5, waited


def test_a_holder_that_stands_still_past_its_lease_begins_nothing_more(toys: Toys) -> None:
    """It is stopped between two steps; another host has its turn meanwhile. Going on, it leaves the second step."""
    one, other = toys.hosts[:2]
    toys.want([one, other], "one", idle=3)
    holder = toys.start(one)
    toys.wait_for(one, "toy start")
    toys.signal(one, "STOP")
    try:
        (ended,) = toys.all_at_once([other])
    finally:
        toys.signal(one, "CONT")
    assert (ended.code, ended.found.outcome) == (0, "mended"), told(ended)
    late = toys.ended(one, holder)
    assert late.code != 0, told(late)
    assert [(each.host, each.service) for each in toys.restarts([one, other])] == [
        (one.name, "toy"), (other.name, "toy"), (other.name, "toy2"),
    ]  # fmt: skip
    assert FIRST_SECONDS >= STEP_LEASE
