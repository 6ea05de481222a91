"""Containers on real hosts, one Debian 12 and one Debian 13: converged, damaged, replaced, and never lost."""

from __future__ import annotations

import dataclasses
import subprocess
import time
from collections.abc import Iterable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from roles.app.back import back
from slipway.container import ContainerSpec, Limits, Probe, Publish
from slipway.lab.lab import Lab
from slipway.ops import containers as ops
from slipway.ops.containers import Replica
from slipway.rollout import Edges
from slipway.seam.errors import FactFailed
from tests.roles import app_hosts as shop
from tests.roles.app_hosts import Order
from tests.roles.convergence import Outcome, converge

pytestmark = pytest.mark.hosts

HOSTS = shop.HOSTS
HOST = "worker2"
"""Where one engine is enough: the older one."""
BROKEN = "echo about to fail; exit 3"
NEVER_READY = "mkdir -p /www; echo I am not going to be ready; exec busybox httpd -f -p 8000 -h /www"
GLUTTON = "exec tail /dev/zero"


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with shop.workers() as lab:
        yield lab


@pytest.fixture(autouse=True)
def cleared(lab: Lab) -> None:
    for host in HOSTS:
        shop.clear(lab, host)


def bring(lab: Lab, host: str, spec: ContainerSpec, order: Order = "stop-first", seal: bool = True) -> Outcome:
    """One host's stage: network, container, what it replaced, seal."""
    wanted = [Replica(spec, order)]

    def tasks(name: str) -> None:
        ops.network(name="Create the stack's network", stack=shop.STACK)
        ops.only(name="Retire containers", stack=shop.STACK, names=[spec.name])
        ops.started(name="Run web", stack=shop.STACK, wanted=wanted)
        ops.stopped(name="Stop replaced containers", stack=shop.STACK, wanted=wanted)
        if seal:
            ops.seal(name="Remove replaced containers", stack=shop.STACK)

    return converge(lab, [host], tasks)[host]


@pytest.mark.parametrize("host", HOSTS)
def test_a_container_is_created_once_and_then_left_alone(lab: Lab, host: str) -> None:
    """The first run brings it up and serving, the second changes nothing and plans nothing."""
    spec = shop.spec(lab, host)
    assert bring(lab, host, spec).error == ""
    assert shop.answer(lab, host) == "one"
    assert bring(lab, host, spec).is_unchanged
    assert shop.inspect(lab, host)["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"


DAMAGE = {
    "removed": ("docker rm -f shop-web-1", "container shop-web-1: create"),
    "stopped": ("docker stop shop-web-1", "container shop-web-1: exited"),
    "killed": ("docker kill shop-web-1", "container shop-web-1: exited"),
    "paused": ("docker pause shop-web-1", "container shop-web-1: paused"),
    "more memory": ("docker update --memory 128m --memory-swap 256m shop-web-1", "container shop-web-1: limits"),
    "less memory": ("docker update --memory 32m shop-web-1", "container shop-web-1: limits"),
    "cpus": ("docker update --cpus 1.5 shop-web-1", "container shop-web-1: limits"),
    "restart policy": ("docker update --restart no shop-web-1", "container shop-web-1: limits"),
    "retagged image": ("docker tag tiny:2 tiny:1", "container shop-web-1: made from another image"),
}


def in_turn(names: Iterable[str]) -> list[tuple[str, str]]:
    """Each name on one of the two releases of Debian, in turn: both engines are tried, nothing is waited for twice."""
    return [(name, HOSTS[position % 2]) for position, name in enumerate(names)]


@pytest.mark.parametrize(("damage", "host"), in_turn(DAMAGE))
def test_damage_is_found_and_mended(lab: Lab, host: str, damage: str) -> None:
    """What somebody did to a container by hand is planned by name, mended by the run, and found no more after it."""
    spec = shop.spec(lab, host)
    bring(lab, host, spec)
    command, planned = DAMAGE[damage]
    original = shop.shell(lab, host, "docker image inspect -f '{{.Id}}' tiny:1")
    shop.shell(lab, host, command)
    try:
        outcome = bring(lab, host, spec)
        assert (outcome.error, outcome.planned) == ("", [planned])
        assert shop.answer(lab, host) == "one"
        assert bring(lab, host, spec).is_unchanged
        assert shop.containers(lab, host) == {"shop-web-1": "running"}
    finally:
        shop.shell(lab, host, f"docker tag {original} tiny:1")


@pytest.mark.parametrize(
    "change",
    [{"environment": {"SLIPWAY_RELEASE": "one", "MORE": "x"}}, {"image": "tiny:2"}, {"read_only": False, "init": True}],
    ids=["environment", "image", "init"],
)
def test_a_changed_specification_replaces_the_container(lab: Lab, change: dict[str, Any]) -> None:
    """Whatever field differs, a new container stands in the old one's place."""
    spec = shop.spec(lab, HOST)
    bring(lab, HOST, spec)
    before = shop.inspect(lab, HOST)["Id"]
    assert bring(lab, HOST, dataclasses.replace(spec, **change)).error == ""
    assert shop.inspect(lab, HOST)["Id"] != before
    assert bring(lab, HOST, dataclasses.replace(spec, **change)).is_unchanged


def test_a_limit_that_was_lifted_by_the_file_is_lifted(lab: Lab) -> None:
    """A container without limits that got one by hand loses it again."""
    spec = shop.spec(lab, HOST, limits=Limits())
    bring(lab, HOST, spec)
    shop.shell(lab, HOST, "docker update --memory 64m --memory-swap 128m --cpus 1 --pids-limit 50 shop-web-1")
    assert bring(lab, HOST, spec).error == ""
    assert bring(lab, HOST, spec).is_unchanged


FAILING = {
    "ends by itself": (BROKEN, "ended by itself with exit code 3", "about to fail"),
    "never ready": (NEVER_READY, "not ready after 3 s (GET /ready: 404)", "I am not going to be ready"),
    "no listener": ("echo asleep; exec sleep 60", "not ready after 3 s (GET /ready: no answer)", "asleep"),
    "out of memory": (GLUTTON, "killed", "64 MiB"),
    "no program": ("exec /no/such/program", "exit code 127", "not found"),
    "dies after ready": (f"({shop.SERVES}) & sleep 2; exit 7", "was ready, then ended by itself with exit code 7", ""),
}


ORDERS: tuple[Order, ...] = ("stop-first", "start-first")


@pytest.mark.parametrize(("order", "failing"), list(product(ORDERS, FAILING)))
def test_a_bad_release_falls_back_to_the_one_before(lab: Lab, order: Order, failing: str) -> None:
    """The operation fails and says why with the container's last lines; the release before it serves again."""
    host = HOSTS[list(FAILING).index(failing) % 2]
    bring(lab, host, shop.spec(lab, host))
    command, reason, line = FAILING[failing]
    probe = dataclasses.replace(shop.READY, deadline=3 if "after 3 s" in reason else 30, monitor=4)
    outcome = bring(lab, host, shop.spec(lab, host, "two", command, probe=probe), order)
    assert reason in outcome.error and line in outcome.error, outcome.error
    assert "release two" in outcome.error and "release one serves here again" in outcome.error
    assert shop.answer(lab, host) == "one"
    assert shop.containers(lab, host) == {"shop-web-1": "running"}
    assert bring(lab, host, shop.spec(lab, host)).is_unchanged


def test_a_first_release_that_fails_leaves_nothing(lab: Lab) -> None:
    """Without a release before it, a failing container is removed and the reason told."""
    outcome = bring(lab, HOST, shop.spec(lab, HOST, "one", BROKEN))
    assert "exit code 3" in outcome.error
    assert shop.containers(lab, HOST) == {}


@pytest.mark.parametrize("fields", [{"image": "tiny:none"}, {"user": "no:such:user"}, {"sysctls": {"no.such": "1"}}])
def test_what_cannot_be_created_stops_nothing(lab: Lab, fields: dict[str, Any]) -> None:
    """A missing image or a refused option is found before the running container is stopped."""
    bring(lab, HOST, shop.spec(lab, HOST))
    started = shop.inspect(lab, HOST)["State"]["StartedAt"]
    outcome = bring(lab, HOST, shop.spec(lab, HOST, "two", **fields))
    assert "release two" in outcome.error
    assert shop.answer(lab, HOST) == "one"
    if "image" in fields:
        assert shop.inspect(lab, HOST)["State"]["StartedAt"] == started


def test_a_port_that_is_taken_is_named(lab: Lab) -> None:
    """A port that another process holds fails the release with Docker's words; the one before serves."""
    bring(lab, HOST, shop.spec(lab, HOST))
    squat = f"busybox httpd -f -p {lab.address(HOST)}:18099 >/dev/null 2>&1 & echo $!"
    pid = shop.shell(lab, HOST, squat)
    taken = Publish(lab.address(HOST), 18099, 8000)
    outcome = bring(lab, HOST, shop.spec(lab, HOST, "two", ports=(taken,)))
    assert "address already in use" in outcome.error
    assert shop.answer(lab, HOST) == "one"
    shop.shell(lab, HOST, f"kill {pid}")


KILLS = [0.05, 0.2, 0.35, 0.5, 0.65, 0.8, 0.95]
"""Shares of the time that an unbroken replacement takes here and now."""


def replace_and_kill(lab: Lab, spec: ContainerSpec, order: Order, share: float) -> None:
    """Measures how long a replacement takes, goes back to the one before, and kills the second one at that share."""
    one = shop.spec(lab, HOST)
    bring(lab, HOST, one)
    began = time.monotonic()
    assert lab.exec(HOST, shop.replacement(lab, HOST, [Replica(spec, order)])).code == 0
    seconds = time.monotonic() - began
    assert bring(lab, HOST, one).error == ""
    words = shop.replacement(lab, HOST, [Replica(spec, order)])
    done = lab.exec(HOST, ["timeout", "-s", "KILL", f"{share * seconds:.2f}", *words])
    print(f"killed after {share * seconds:.2f} s of {seconds:.2f} s: {done.code}, {shop.containers(lab, HOST)}")


@pytest.mark.parametrize(("order", "share"), list(product(ORDERS, KILLS)))
def test_a_replacement_killed_at_any_moment_is_finished_by_the_next_run(lab: Lab, order: Order, share: float) -> None:
    """The script itself is killed (no trap runs): the next run ends where an unbroken one would have."""
    two = shop.spec(lab, HOST, "two")
    replace_and_kill(lab, two, order, share)
    assert bring(lab, HOST, two, order).error == ""
    assert shop.answer(lab, HOST) == "two"
    assert shop.containers(lab, HOST) == {"shop-web-1": "running"}
    assert bring(lab, HOST, two, order).is_unchanged


@pytest.mark.parametrize(("order", "share"), list(product(ORDERS, KILLS[::2])))
def test_the_way_back_is_open_after_a_kill(lab: Lab, order: Order, share: float) -> None:
    """After a killed replacement the release before it can be brought again."""
    one = shop.spec(lab, HOST)
    replace_and_kill(lab, shop.spec(lab, HOST, "two"), order, share)
    assert bring(lab, HOST, one, order).error == ""
    assert shop.answer(lab, HOST) == "one"
    assert shop.containers(lab, HOST) == {"shop-web-1": "running"}
    assert bring(lab, HOST, one, order).is_unchanged


@pytest.mark.parametrize("order", ORDERS)
def test_a_replacement_that_runs_out_of_time_falls_back(lab: Lab, order: Order) -> None:
    """Terminated by its own time limit, it brings the release before it back."""
    bring(lab, HOST, shop.spec(lab, HOST))
    broken = shop.replacement(lab, HOST, [Replica(shop.spec(lab, HOST, "two", NEVER_READY), order)])
    done = lab.exec(HOST, ["timeout", "-k", "20", "3", *broken])
    assert "stopped while it was being replaced" in done.stderr
    assert shop.answer(lab, HOST) == "one"
    assert shop.containers(lab, HOST) == {"shop-web-1": "running"}


def test_what_a_host_replaced_can_be_brought_back_as_a_whole(lab: Lab, tmp_path: Path) -> None:
    """Before the seal, every previous container gets its place back; a second time changes nothing."""
    bring(lab, HOST, shop.spec(lab, HOST))
    assert bring(lab, HOST, shop.spec(lab, HOST, "two"), seal=False).error == ""
    assert shop.containers(lab, HOST) == {"shop-web-1": "running", "shop-web-1-previous": "exited"}
    with shop.remotes(lab, [HOST]) as remotes:
        for _ in range(2):
            back(remotes[HOST], shop.context(lab, HOST, tmp_path), Edges())
            assert shop.containers(lab, HOST) == {"shop-web-1": "running"}
    assert shop.answer(lab, HOST) == "one"
    assert bring(lab, HOST, shop.spec(lab, HOST)).is_unchanged


def test_only_our_own_surplus_is_removed(lab: Lab) -> None:
    """A replica too many goes; a container without our labels stays, whatever its name."""
    bring(lab, HOST, shop.spec(lab, HOST))
    second = shop.spec(lab, HOST, replica=2)
    shop.shell(lab, HOST, f"docker create {subprocess.list2cmdline(second.create_words()[:-3])} sleep 60")
    shop.shell(lab, HOST, "docker rm -f shop-web-9 2>/dev/null; docker create --name shop-web-9 tiny:1 sleep 60")
    outcome = bring(lab, HOST, shop.spec(lab, HOST))
    assert "container shop-web-2: remove: no longer in the stack here" in outcome.planned
    assert shop.containers(lab, HOST) == {"shop-web-1": "running"}
    assert shop.shell(lab, HOST, "docker ps -a --filter name=shop-web-9 --format '{{.Names}}'") == "shop-web-9"


def test_a_crash_looping_container_is_seen(lab: Lab) -> None:
    """A container that its policy restarts again and again is not taken for a running one."""
    spec = shop.spec(lab, HOST)
    bring(lab, HOST, spec)
    loop = dataclasses.replace(spec, argv=("sh", "-c", "sleep 0.1; exit 1"), probe=Probe(monitor=2))
    words = loop.create_words()
    words[words.index("--restart") + 1] = "always"
    shop.clear(lab, HOST)
    lab.exec(HOST, ["docker", "run", "-d", *words])
    time.sleep(2)
    outcome = bring(lab, HOST, loop)
    assert "exit code 1" in outcome.error


def test_a_singleton_is_stopped_where_it_was_before_it_starts_elsewhere(lab: Lab) -> None:
    """Moved to another host, it never runs twice: its old host's one is stopped first."""
    old, new = HOSTS
    spec = {host: shop.spec(lab, host) for host in HOSTS}
    bring(lab, old, spec[old])

    def move(name: str) -> None:
        ops.network(name="Create the stack's network", stack=shop.STACK)
        if name == new:
            wanted = [Replica(spec[new], singleton_of=(old,))]
            ops.started(name="Run web", stack=shop.STACK, wanted=wanted)

    outcome = converge(lab, list(HOSTS), move)[new]
    assert outcome.error == ""
    assert (shop.containers(lab, old), shop.containers(lab, new)) == (
        {"shop-web-1": "exited"},
        {"shop-web-1": "running"},
    )
    stopped, started = shop.inspect(lab, old)["State"]["FinishedAt"], shop.inspect(lab, new)["State"]["StartedAt"]
    assert stopped < started


def test_an_engine_that_is_off_has_nothing_and_one_that_does_not_answer_is_an_error(lab: Lab) -> None:
    """Before Docker is started there is nothing to ask; a running one that says nothing is never taken for empty."""

    def look() -> Outcome:
        return converge(lab, [HOST], lambda name: ops.only(name="Look", stack=shop.STACK, names=[]))[HOST]

    shop.shell(lab, HOST, "systemctl stop docker.socket docker")
    try:
        assert look().is_unchanged
    finally:
        shop.shell(lab, HOST, "systemctl start docker")
    shop.shell(lab, HOST, "mount --bind /bin/false /usr/bin/docker")
    try:
        with pytest.raises(FactFailed, match="DockerFact"):
            look()
    finally:
        shop.shell(lab, HOST, "umount /usr/bin/docker")
