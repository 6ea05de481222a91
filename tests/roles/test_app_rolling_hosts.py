"""How containers take each other's place on real hosts: beside each other, one after the other, killed half way."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path

import gevent
import pytest

from roles.app.gate import gate
from slipway.container import ContainerSpec, Probe
from slipway.disruption import Disruption, Handler, NotNow
from slipway.facts.containers import UNPROVEN
from slipway.facts.files import script
from slipway.lab.lab import Lab
from slipway.ops import containers as ops
from slipway.ops.containers import Replica
from slipway.rollout import Load
from slipway.seam.connection import WORK
from tests.roles import app_hosts as shop
from tests.roles.app_hosts import Order, bring
from tests.roles.convergence import converge

pytestmark = pytest.mark.hosts

ORDERS: tuple[Order, ...] = ("start-first", "stop-first")
HOST = "worker2"
OTHER = "worker1"
NAME, PREVIOUS = "shop-web-1", "shop-web-1-previous"
BROKEN = "echo about to fail; exit 3"
NEVER_READY = "mkdir -p /www; exec busybox httpd -f -p 8000 -h /www"
ONCE_ONLY = shop.SERVES.replace("mkdir -p", "mkdir")
"""Serves when it is started for the first time, and ends with an error when it is started again."""
NOTHING = Load({}, {}, 0, ())


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with shop.workers() as lab:
        yield lab


@pytest.fixture(autouse=True)
def cleared(lab: Lab) -> None:
    for host in shop.HOSTS:
        shop.clear(lab, host)


def replicas(lab: Lab, release: str, order: Order = "start-first", count: int = 1, host: str = HOST) -> list[Replica]:
    return [Replica(shop.spec(lab, host, release, replica=number), order) for number in range(1, count + 1)]


def peers(lab: Lab) -> dict[str, str]:
    """Name to port of every container, running or not."""
    return {name: found.peer.rpartition(":")[2] for name, found in shop.state(lab, HOST).containers.items()}


@contextmanager
def in_background(lab: Lab, loop: str) -> Iterator[list[str]]:
    """Runs a line of shell on the host twenty times a second; the list has what it printed, once it is over."""
    said: list[str] = []
    shop.shell(lab, HOST, "rm -f /tmp/said")
    command = f"while :; do {loop}; sleep 0.05; done >/tmp/said 2>&1 & echo $!"
    pid = shop.shell(lab, HOST, f"exec 3>&1; ( {command} ) >&3")
    try:
        yield said
    finally:
        shop.shell(lab, HOST, f"kill {pid}")
        said += shop.shell(lab, HOST, "cat /tmp/said").splitlines()
        print(f"{len(said)} answers: { ({each: said.count(each) for each in said}) }")


def asking(lab: Lab) -> str:
    """What whoever answers in either slot says, or `nobody`."""
    urls = [f"curl -s -f -m 20 http://{lab.address(HOST)}:{port}/ready" for port in (shop.PORT, shop.PORT + 5)]
    return f"{' || '.join(urls)} || echo nobody"


# --- beside each other


def test_the_new_one_stands_beside_the_old_one_in_the_other_slot(lab: Lab) -> None:
    """Both answer until the old one is stopped; it is kept until the seal; the next release is in the first slot."""
    assert bring(lab, HOST, replicas(lab, "one")).error == ""
    assert peers(lab) == {NAME: "18000"}
    assert bring(lab, HOST, replicas(lab, "two"), "started").error == ""
    assert (shop.answer(lab, HOST), shop.answer(lab, HOST, PREVIOUS)) == ("two", "one")
    assert peers(lab) == {NAME: "18005", PREVIOUS: "18000"}
    stopped = bring(lab, HOST, replicas(lab, "two"), "stopped")
    assert (stopped.error, stopped.planned) == ("", [f"container {PREVIOUS}: stop: replaced"])
    assert shop.containers(lab, HOST) == {NAME: "running", PREVIOUS: "exited"}
    sealed = bring(lab, HOST, replicas(lab, "two"))
    assert sealed.planned == [f"container {PREVIOUS}: remove"]
    assert bring(lab, HOST, replicas(lab, "two")).is_unchanged
    assert bring(lab, HOST, replicas(lab, "three")).error == ""
    assert (peers(lab), shop.answer(lab, HOST)) == ({NAME: "18000"}, "three")


def test_start_first_always_has_somebody_who_answers(lab: Lab) -> None:
    """Asked twenty times a second through two releases, one of the two slots answers each time."""
    bring(lab, HOST, replicas(lab, "one"))
    with in_background(lab, asking(lab)) as said:
        for release in ("two", "three"):
            assert bring(lab, HOST, replicas(lab, release)).error == ""
    assert set(said) == {"one", "two", "three"}


def clock(lab: Lab, release: str) -> Replica:
    """A singleton that takes a second to stop."""
    stays = "trap 'sleep 1; exit 0' TERM; while :; do sleep 0.1; done"
    spec = shop.spec(lab, HOST, release, stays, service="clock", serves=(), probe=Probe(monitor=1), stop_timeout=10)
    return Replica(spec, "stop-first")


def test_stop_first_never_has_two_at_once(lab: Lab) -> None:
    """Counted twenty times a second through two releases, there is never a second one; and each release came up."""
    bring(lab, HOST, [clock(lab, "one")])
    counting = "docker ps -q --filter label=slipway.service=clock --filter status=running | wc -l"
    with in_background(lab, counting) as said:
        for release in ("two", "three"):
            assert bring(lab, HOST, [clock(lab, release)]).error == ""
            assert shop.state(lab, HOST).containers["shop-clock-1"].release == release
    assert set(said) <= {"0", "1"}
    assert len(said) > 20


# --- several together


@pytest.mark.parametrize("order", ORDERS)
def test_of_several_one_that_fails_falls_back_alone(lab: Lab, order: Order) -> None:
    """Its own old one serves again, the others stand beside theirs; the error is about that one only."""
    bring(lab, HOST, replicas(lab, "one", count=3))
    wanted = replicas(lab, "two", order, 3)
    wanted[1] = dataclasses.replace(wanted[1], spec=shop.spec(lab, HOST, "two", BROKEN, replica=2))
    outcome = bring(lab, HOST, wanted)
    assert "shop-web-2: release two: ended by itself with exit code 3" in outcome.error
    assert "release one serves here again" in outcome.error
    assert "shop-web-1: release" not in outcome.error and "shop-web-3: release" not in outcome.error
    assert [shop.answer(lab, HOST, f"shop-web-{n}") for n in (1, 2, 3)] == ["two", "one", "two"]
    kept = "running" if order == "start-first" else "exited"
    assert shop.containers(lab, HOST) == {
        **{f"shop-web-{n}": "running" for n in (1, 2, 3)},
        **{f"shop-web-{n}-previous": kept for n in (1, 3)},
    }


def test_several_come_up_together_and_not_one_after_the_other(lab: Lab) -> None:
    """Three that are watched for four seconds each take less than three times four."""
    probe = dataclasses.replace(shop.READY, monitor=4)
    wanted = [dataclasses.replace(each, spec=dataclasses.replace(each.spec, probe=probe))
              for each in replicas(lab, "one", count=3)]  # fmt: skip
    began = time.monotonic()
    assert bring(lab, HOST, wanted[:1]).error == ""
    alone = time.monotonic() - began
    shop.clear(lab, HOST)
    began = time.monotonic()
    assert bring(lab, HOST, wanted).error == ""
    assert time.monotonic() - began < alone + 8


# --- killed half way


KILLS = [0.1, 0.3, 0.5, 0.7, 0.9]
"""Shares of the time that an unbroken replacement takes here and now."""


@pytest.mark.parametrize(("share", "then"), list(product(KILLS, ["two", "one", "three"])))
def test_what_serves_answers_throughout_a_kill_and_the_run_after_it(
    lab: Lab, tmp_path: Path, share: float, then: str
) -> None:
    """start-first, killed by SIGKILL: somebody answers all along, and the same, the old or another release follows."""
    bring(lab, HOST, replicas(lab, "one"))
    began = time.monotonic()
    assert lab.exec(HOST, shop.replacement(lab, HOST, replicas(lab, "two"))).code == 0
    seconds = (time.monotonic() - began) * share
    assert bring(lab, HOST, replicas(lab, "one")).error == ""
    with in_background(lab, asking(lab)) as said, asked_first(lab, tmp_path) as handler:
        words = shop.replacement(lab, HOST, replicas(lab, "two"))
        killed = lab.exec(HOST, ["timeout", "-s", "KILL", f"{seconds:.2f}", *words])
        print(f"killed after {seconds:.2f} s: {killed.code}, {shop.containers(lab, HOST)}")
        assert bring(lab, HOST, replicas(lab, then), gate=handler).error == ""
    assert set(said) <= {"one", "two", then}
    assert shop.containers(lab, HOST) == {NAME: "running"}
    assert shop.answer(lab, HOST) == then
    assert bring(lab, HOST, replicas(lab, then)).is_unchanged


def test_a_replacement_is_finished_although_nobody_listens_any_more(lab: Lab) -> None:
    """The controller dies while the old one stops: the new one is started and proved all the same."""
    slow = f"trap 'sleep 8; exit 0' TERM; ({shop.SERVES}) & while :; do sleep 0.1; done"
    bring(lab, HOST, [Replica(shop.spec(lab, HOST, "one", slow, stop_timeout=30))])
    words = shop.replacement(lab, HOST, replicas(lab, "two", "stop-first"))
    with shop.remotes(lab, [HOST]) as remotes:
        running = gevent.spawn(remotes[HOST].run, script('exec "$@"', *words))
        while lab.exec(HOST, ["test", "-e", f"{UNPROVEN}/{NAME}"]).code:
            gevent.sleep(0.1)
    gevent.joinall([running])  # its connection is closed
    assert shop.containers(lab, HOST).get(PREVIOUS, "running") == "running"
    shop.shell(lab, HOST, f"flock {WORK} true")
    assert shop.answer(lab, HOST) == "two"
    assert shop.containers(lab, HOST) == {NAME: "running", PREVIOUS: "exited"}
    assert bring(lab, HOST, replicas(lab, "two", "stop-first")).planned == [f"container {PREVIOUS}: remove"]


def replace_and_kill_while_it_is_watched(lab: Lab, wanted: Replica) -> None:
    """The new one runs and has not been proved; the script is gone."""
    words = shop.replacement(lab, HOST, [wanted])
    started = (
        f"docker container inspect -f '{{{{.State.Running}}}} {{{{index .Config.Labels \"slipway.spec\"}}}}' {NAME}"
    )
    wait = f"until [ \"$({started} 2>/dev/null)\" = 'true {wanted.spec.digest()}' ]; do sleep 0.1; done"
    killing = f'setsid "$@" >/dev/null 2>&1 & pid=$!; {wait}; kill -s KILL -- -$pid'
    shop.shell(lab, HOST, str(script(killing, *words)))
    assert NAME in shop.state(lab, HOST).unproven


def hung(spec: ContainerSpec) -> ContainerSpec:
    """It gets so long to become ready that it can be killed before."""
    return dataclasses.replace(spec, probe=dataclasses.replace(shop.READY, deadline=100))


def test_an_attempt_with_nothing_before_it_is_what_a_failure_goes_back_to(lab: Lab) -> None:
    """It was stopped by hand and being started again when that run died; where the next release fails, it serves."""
    one = shop.spec(lab, HOST, probe=dataclasses.replace(shop.READY, monitor=60))
    bring(lab, HOST, replicas(lab, "one"))
    shop.shell(lab, HOST, f"docker stop {NAME}")
    replace_and_kill_while_it_is_watched(lab, Replica(one))
    outcome = bring(lab, HOST, [Replica(shop.spec(lab, HOST, "two", BROKEN), "start-first")])
    assert "exit code 3" in outcome.error and "release one serves here again" in outcome.error
    assert shop.answer(lab, HOST) == "one"
    # Docker was told not to restart it while it was watched; that is seen, and mended without a stop.
    assert bring(lab, HOST, replicas(lab, "one")).planned == [f"container {NAME}: limits"]


def test_what_is_started_again_goes_back_to_the_one_that_is_kept(lab: Lab) -> None:
    """Proved, not yet sealed, stopped by hand and broken since: the one before it is asked where that one answers."""
    bring(lab, HOST, replicas(lab, "one"))
    two = Replica(shop.spec(lab, HOST, "two", ONCE_ONLY), "start-first")
    assert bring(lab, HOST, [two], "stopped").error == ""
    shop.shell(lab, HOST, f"docker stop {NAME}")
    outcome = bring(lab, HOST, [two])
    assert "exit code 1" in outcome.error and "release one serves here again" in outcome.error
    assert (shop.answer(lab, HOST), shop.containers(lab, HOST)) == ("one", {NAME: "running"})
    assert bring(lab, HOST, replicas(lab, "one")).is_unchanged


def test_what_does_not_come_back_is_not_taken_for_proved(lab: Lab) -> None:
    """The one before a failure is broken too by now: the error says so, and the next run looks at it again."""
    one = Replica(shop.spec(lab, HOST, "one", ONCE_ONLY), "stop-first")
    bring(lab, HOST, [one])
    outcome = bring(lab, HOST, [Replica(shop.spec(lab, HOST, "two", BROKEN), "stop-first")])
    assert "release one was started again, but: ended by itself with exit code 1" in outcome.error
    assert "serves here again" not in outcome.error
    assert NAME in shop.state(lab, HOST).unproven
    assert bring(lab, HOST, replicas(lab, "three")).error == ""
    assert shop.answer(lab, HOST) == "three"


def test_a_time_limit_leaves_time_to_tell(lab: Lab) -> None:
    """Out of time, and the one before is up and does not answer: that is told before the patience of ten seconds ends,
    and the next run looks at it again."""
    one = shop.spec(lab, HOST, command=f"[ ! -e /www ] || exec sleep 1000; {shop.SERVES}")
    bring(lab, HOST, [Replica(one)])
    words = shop.replacement(lab, HOST, [Replica(hung(shop.spec(lab, HOST, "two", NEVER_READY)))])
    # Twice ten seconds: these hosts share their processors with whatever else a test run starts.
    done = lab.exec(HOST, ["timeout", "-k", "20", "5", *words])
    assert "stopped while it was being replaced" in done.stderr
    assert "release one was started again, but: not ready after 3 s" in done.stderr
    assert (shop.containers(lab, HOST), NAME in shop.state(lab, HOST).unproven) == ({NAME: "running"}, True)


def crash_loop(lab: Lab) -> None:
    """The release that serves ends whenever it is started, and Docker waits for seconds between two tries."""
    words = dataclasses.replace(shop.spec(lab, HOST), argv=("sh", "-c", "exit 1")).create_words()
    words[words.index("--restart") + 1] = "unless-stopped"
    shop.shell(lab, HOST, f"docker network inspect {shop.STACK} >/dev/null || docker network create {shop.STACK}")
    assert lab.exec(HOST, ["docker", "run", "-d", *words]).code == 0
    tried = f"docker container inspect -f '{{{{.State.Status}}}} {{{{.RestartCount}}}}' {NAME}"
    shop.shell(lab, HOST, f'until [ "$({tried})" = "restarting 7" ]; do sleep 0.1; done')


@pytest.mark.parametrize("order", ORDERS)
def test_a_crash_loop_is_replaced(lab: Lab, order: Order) -> None:
    """Docker cannot rename a container that it is about to restart: that does not keep the release that mends it."""
    crash_loop(lab)
    assert bring(lab, HOST, replicas(lab, "two", order)).error == ""
    assert (shop.answer(lab, HOST), shop.containers(lab, HOST)) == ("two", {NAME: "running"})


def test_a_crash_loop_is_retired(lab: Lab) -> None:
    """A service that left the stack while its containers crashed is stopped, and kept until the seal."""
    crash_loop(lab)

    def tasks(name: str) -> None:
        ops.only(name="Retire containers", stack=shop.STACK, names=[])

    assert converge(lab, [HOST], tasks)[HOST].error == ""
    assert shop.containers(lab, HOST) == {PREVIOUS: "exited"}


# --- the gate


@contextmanager
def asked_first(lab: Lab, folder: Path, count: int = 2) -> Iterator[Handler]:
    """Before anything is taken out of service the gate is asked, of both hosts, as the engine does.

    + count: replicas that the fleet should have
    """
    with shop.remotes(lab, shop.HOSTS) as remotes:
        ctx = shop.context(lab, HOST, folder, shop.COMPOSE.replace("replicas: 2", f"replicas: {count}"))

        def handler(disruption: Disruption) -> None:
            for remote in remotes.values():
                remote.forget()
            load = Load(disruption.takes, disruption.adds_replicas, disruption.adds_memory, disruption.needs_ports)
            if why := gate(remotes, HOST, load, ctx):
                raise NotNow("\n".join(why))

        yield handler


@contextmanager
def squatter(lab: Lab, address: str = "") -> Iterator[None]:
    """Another process of the host holds the port of the second slot, at the host's address or another one."""
    listening = "ss -Hltn '( sport = :18005 )' | grep -q ."
    at = f"{address or lab.address(HOST)}:18005"
    pid = shop.shell(lab, HOST, f"busybox httpd -f -p {at} >/dev/null 2>&1 & echo $!; until {listening}; do :; done")
    try:
        yield
    finally:
        shop.shell(lab, HOST, f"kill {pid}; while {listening}; do sleep 0.1; done")


def test_a_port_that_somebody_has_taken_is_told_before_anything_is_touched(lab: Lab, tmp_path: Path) -> None:
    """The gate names port and process; nothing was stopped or made. Freed, the same run goes through."""
    bring(lab, HOST, replicas(lab, "one"))
    started = shop.inspect(lab, HOST)["State"]["StartedAt"]
    with asked_first(lab, tmp_path) as handler:
        with squatter(lab):
            outcome = bring(lab, HOST, replicas(lab, "two"), gate=handler)
        assert f'port {lab.address(HOST)}:18005 is taken: "busybox",pid=' in outcome.error
        assert shop.containers(lab, HOST) == {NAME: "running"}
        assert shop.inspect(lab, HOST)["State"]["StartedAt"] == started
        assert bring(lab, HOST, replicas(lab, "two"), gate=handler).error == ""
    assert shop.answer(lab, HOST) == "two"


def test_a_port_on_another_address_is_nobodys_business(lab: Lab, tmp_path: Path) -> None:
    """A process on loopback alone is in nobody's way; one on every address is."""

    load = dataclasses.replace(NOTHING, needs_ports=(f"{lab.address(HOST)}:18005",))
    with shop.remotes(lab, [HOST]) as remotes:
        ctx = shop.context(lab, HOST, tmp_path)
        for address, is_taken in (("127.0.0.1", False), ("0.0.0.0", True), ("[::]", True)):  # noqa: S104 - a test's own
            with squatter(lab, address):
                assert bool(gate(remotes, HOST, load, ctx)) is is_taken, address


@pytest.mark.parametrize("order", ORDERS)
def test_a_port_that_is_taken_after_the_gate_fails_the_replacement(lab: Lab, order: Order) -> None:
    """Between the gate and the start: Docker's words, and the old one serves, in its own slot."""
    bring(lab, HOST, replicas(lab, "one"))
    with squatter(lab):
        outcome = bring(lab, HOST, replicas(lab, "two", order))
    assert "address already in use" in outcome.error and "release one serves here again" in outcome.error
    assert (shop.answer(lab, HOST), peers(lab)) == ("one", {NAME: "18000"})


@pytest.mark.parametrize("then", ["one", "two", "three"])
def test_what_a_dead_run_has_left_does_not_close_the_gate(lab: Lab, tmp_path: Path, then: str) -> None:
    """An attempt that still runs in the other slot, and an old one that was not yet stopped, have ports of our own."""
    bring(lab, HOST, replicas(lab, "one"))
    never = Replica(hung(shop.spec(lab, HOST, "two", NEVER_READY)), "start-first")
    replace_and_kill_while_it_is_watched(lab, never)
    assert shop.containers(lab, HOST) == {NAME: "running", PREVIOUS: "running"}
    with asked_first(lab, tmp_path) as handler, in_background(lab, asking(lab)) as said:
        assert bring(lab, HOST, replicas(lab, then), "started", handler).error == ""
        assert bring(lab, HOST, replicas(lab, "four"), gate=handler).error == ""
    assert "nobody" not in said
    assert (shop.answer(lab, HOST), shop.containers(lab, HOST)) == ("four", {NAME: "running"})


def test_too_few_would_be_left(lab: Lab, tmp_path: Path) -> None:
    """The other host's replica is down: this one's stays as it is; up again, it may be replaced."""
    for host in shop.HOSTS:
        bring(lab, host, replicas(lab, "one", host=host))
    shop.shell(lab, OTHER, f"docker stop {NAME}")
    with asked_first(lab, tmp_path) as handler:
        outcome = bring(lab, HOST, replicas(lab, "two", "stop-first"), gate=handler)
        assert "web: 1 of 2 replicas are healthy; without 1 of them 0 would be left, and 1 must be" in outcome.error
        assert shop.answer(lab, HOST) == "one"
        shop.shell(lab, OTHER, f"docker start {NAME}")
        assert bring(lab, HOST, replicas(lab, "two", "stop-first"), gate=handler).error == ""


def test_memory_for_old_and_new_together(lab: Lab, tmp_path: Path) -> None:
    """A reservation that the host does not have twice keeps the new one from standing beside the old one; stopped
    first, the old one makes room for it."""
    bring(lab, HOST, replicas(lab, "one"))
    limits = dataclasses.replace(shop.spec(lab, HOST).limits, memory=None)
    huge = shop.spec(lab, HOST, "two", memory_reservation=1 << 50, limits=limits)
    with asked_first(lab, tmp_path, count=1) as handler:
        outcome = bring(lab, HOST, [Replica(huge, "start-first")], gate=handler)
        assert "MiB are free, old and new together need 1073741824 MiB more (reservations)" in outcome.error
        assert (shop.answer(lab, HOST), shop.containers(lab, HOST)) == ("one", {NAME: "running"})
        assert bring(lab, HOST, [Replica(huge, "stop-first")], gate=handler).error == ""


def test_a_disk_without_room(lab: Lab, tmp_path: Path) -> None:
    """Where Docker keeps its files there must be room for another container."""
    with shop.remotes(lab, [HOST]) as remotes:
        ctx = shop.context(lab, HOST, tmp_path)
        assert gate(remotes, HOST, NOTHING, ctx) == []
        shop.shell(lab, HOST, "mount -t tmpfs -o size=100m none /var/lib/docker")
        try:
            said = gate(remotes, HOST, NOTHING, ctx)
        finally:
            shop.shell(lab, HOST, "umount /var/lib/docker")
    assert said == ["  disk: 100 MiB are free in /var/lib/docker, 256 MiB must be: slipway-prune 0"]
