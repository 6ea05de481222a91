"""The way back of a host: what it served before a rollout serves again, nobody notices, whatever interrupts it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import gevent
import pytest

from roles.app.back import _returning, back
from slipway.container import ContainerSpec, Probe
from slipway.context import Context
from slipway.lab.lab import Lab
from slipway.ops import releases
from slipway.ops.containers import Replica
from slipway.release import Origin
from slipway.remote import Remote, RemoteFailed
from slipway.rollout import Admission, Canary, Edges, Peer
from slipway.seam.connection import WORK
from tests.roles import app_hosts as shop
from tests.roles.app_hosts import Order, bring
from tests.roles.convergence import converge

pytestmark = pytest.mark.hosts

ORDERS: tuple[Order, ...] = ("start-first", "stop-first")
HOST = "worker2"
BROKEN = "echo about to fail; exit 3"
ALL = [f"shop-web-{n}" for n in (1, 2, 3)]


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with shop.workers() as lab:
        yield lab


@pytest.fixture(autouse=True)
def cleared(lab: Lab) -> None:
    for host in shop.HOSTS:
        shop.clear(lab, host)


@pytest.fixture
def remote(lab: Lab) -> Iterator[Remote]:
    with shop.remotes(lab, [HOST]) as remotes:
        yield remotes[HOST]


def replicas(lab: Lab, release: str, order: Order, count: int = 3) -> list[Replica]:
    return [Replica(shop.spec(lab, HOST, release, replica=number), order) for number in range(1, count + 1)]


def context(lab: Lab, folder: Path, order: Order) -> Context:
    """The stack whose `rollback_config` has this order."""
    compose = shop.COMPOSE.replace("rollback_config: {order: start-first}", f"rollback_config: {{order: {order}}}")
    return shop.context(lab, HOST, folder, compose)


class Watching:
    """Stands where the edges are: keeps what they are told, and who answers at that moment."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self.told: list[tuple[str, dict[str, str]]] = []

    def _note(self, what: str, addresses: Sequence[str]) -> None:
        asking = 'for at in "$@"; do curl -s -f -m 20 "http://$at/ready" || echo nobody; done'
        said = self._lab.exec(HOST, ["sh", "-c", asking, "sh", *addresses]).stdout.split()
        ports = [address.rpartition(":")[2] for address in addresses]
        self.told.append((what, dict(zip(ports, said, strict=True))))

    def drain(self, edges: Any, targets: Sequence[str], seconds: float, lease: float, reason: str) -> None:
        self._note("drain", targets)

    def restore(self, edges: Any, targets: Sequence[str]) -> None:
        self._note("restore", targets)

    def admit(self, edges: Any, peers: Sequence[Peer], seconds: float) -> None:
        self._note("admit", [peer.address for peer in peers])

    def dismiss(self, edges: Any, addresses: Sequence[str]) -> None:
        self._note("dismiss", addresses)

    def share(self, edges: Any, upstreams: Sequence[str], canary: Canary | None) -> None: ...

    def admitted(self, edge: Remote) -> Admission:
        return Admission()


TOLD: Mapping[Order, list[tuple[str, dict[str, str]]]] = {
    "start-first": [
        ("admit", {"18000": "one"}),
        ("drain", {"18005": "two"}),
        ("dismiss", {"18005": "two"}),
        ("restore", {"18005": "nobody"}),
    ],
    "stop-first": [
        ("drain", {"18005": "two"}),
        ("admit", {"18000": "one"}),
        ("drain", {"18005": "nobody"}),
        ("dismiss", {"18005": "nobody"}),
        ("restore", {"18005": "nobody"}),
    ],
}


@pytest.mark.parametrize("order", ORDERS)
def test_the_edges_know_who_answers_before_anybody_is_stopped(
    lab: Lab, remote: Remote, tmp_path: Path, order: Order
) -> None:
    """start-first: the old one answers and is admitted before the new one is drained, which then still answers.
    stop-first: the new one is drained before it stops, and the old one admitted as soon as it answers."""
    bring(lab, HOST, replicas(lab, "one", order, 1))
    bring(lab, HOST, replicas(lab, "two", order, 1), "stopped")
    edges = Watching(lab)
    steps = back(remote, context(lab, tmp_path, order), Edges(edges, (remote,)))
    assert edges.told == TOLD[order]
    kinds = {step.what for step in steps}
    assert kinds == {"start", "ready", "drain", "stop"}
    assert shop.answer(lab, HOST) == "one"


@pytest.mark.parametrize(("order", "until"), list(product(ORDERS, ["started", "stopped"])))
def test_a_wave_of_which_one_failed_goes_back_as_a_whole(
    lab: Lab, remote: Remote, tmp_path: Path, order: Order, until: Any
) -> None:
    """The one that failed has gone back by itself, the way back brings the other two; a second time does nothing."""
    bring(lab, HOST, replicas(lab, "one", order))
    wanted = replicas(lab, "two", order)
    wanted[1] = Replica(shop.spec(lab, HOST, "two", BROKEN, replica=2), order)
    assert "shop-web-2: release two" in bring(lab, HOST, wanted).error
    if until == "stopped":  # the roll had gone on to the others
        assert bring(lab, HOST, [wanted[0], wanted[2]], "stopped").error == ""
    before = shop.inspect(lab, HOST, "shop-web-2")["Id"]
    ctx = context(lab, tmp_path, order)
    assert back(remote, ctx, Edges())
    assert shop.containers(lab, HOST) == dict.fromkeys(ALL, "running")
    assert [shop.answer(lab, HOST, name) for name in ALL] == ["one"] * 3
    assert shop.inspect(lab, HOST, "shop-web-2")["Id"] == before
    assert back(remote, ctx, Edges()) == []
    assert bring(lab, HOST, replicas(lab, "one", order)).is_unchanged


def test_a_host_on_which_nothing_was_replaced_is_left_alone(lab: Lab, remote: Remote, tmp_path: Path) -> None:
    """No container, and nothing but a first release: there is nothing to go back to."""
    ctx, edges = context(lab, tmp_path, "start-first"), Watching(lab)
    assert back(remote, ctx, Edges(edges, (remote,))) == []
    bring(lab, HOST, replicas(lab, "one", "start-first", 1))
    assert back(remote, ctx, Edges(edges, (remote,))) == []
    assert (shop.containers(lab, HOST), edges.told) == ({"shop-web-1": "running"}, [])


def test_one_from_before_that_does_not_come_back_is_told_and_the_new_one_stays(
    lab: Lab, remote: Remote, tmp_path: Path
) -> None:
    """start-first: what serves is given up only for something that does."""
    once_only = shop.SERVES.replace("mkdir -p", "mkdir")
    bring(lab, HOST, [Replica(shop.spec(lab, HOST, "one", once_only), "start-first")])
    bring(lab, HOST, replicas(lab, "two", "start-first", 1), "stopped")
    with pytest.raises(RemoteFailed, match="release one, which served before, does not come back: ended by itself"):
        back(remote, context(lab, tmp_path, "start-first"), Edges())
    assert shop.answer(lab, HOST) == "two"


SHARES = [0.1, 0.3, 0.5, 0.7, 0.9]
"""Of the time that an unbroken way back takes here and now."""


def unbroken(lab: Lab, remote: Remote, ctx: Context, order: Order) -> float:
    """How many seconds a way back takes; there is one to go again afterwards."""
    bring(lab, HOST, replicas(lab, "one", order))
    bring(lab, HOST, replicas(lab, "two", order), "stopped")
    began = time.monotonic()
    back(remote, ctx, Edges())
    seconds = time.monotonic() - began
    bring(lab, HOST, replicas(lab, "two", order), "stopped")
    return seconds


@pytest.mark.parametrize(("order", "share"), list(product(ORDERS, SHARES)))
def test_a_way_back_that_is_interrupted_is_gone_again(
    lab: Lab, remote: Remote, tmp_path: Path, order: Order, share: float
) -> None:
    """The controller dies at any moment; what it had begun on the host ends, and the next one goes the rest."""
    ctx = context(lab, tmp_path, order)
    seconds = unbroken(lab, remote, ctx, order) * share
    with shop.remotes(lab, [HOST]) as dying:
        job = gevent.spawn(back, dying[HOST], ctx, Edges())
        gevent.sleep(seconds)
        job.kill()
    shop.shell(lab, HOST, f"flock {WORK} true")
    print(f"interrupted after {seconds:.2f} s: {shop.containers(lab, HOST)}")
    back(remote, ctx, Edges())
    assert shop.containers(lab, HOST) == dict.fromkeys(ALL, "running")
    assert bring(lab, HOST, replicas(lab, "one", order)).is_unchanged


@pytest.mark.parametrize(("order", "share"), list(product(ORDERS, SHARES[::2])))
def test_a_way_back_whose_script_is_killed_is_gone_again(
    lab: Lab, remote: Remote, tmp_path: Path, order: Order, share: float
) -> None:
    """SIGKILL on the host itself, while the old ones come up: the next try ends as an unbroken one."""
    ctx = context(lab, tmp_path, order)
    seconds = unbroken(lab, remote, ctx, order) * share
    before = [found for found in shop.state(lab, HOST).containers.values() if found.is_previous]
    words = ["sh", "-c", str(_returning(before, ctx, 60))]
    killed = lab.exec(HOST, ["timeout", "-s", "KILL", f"{seconds:.2f}", *words])
    print(f"killed after {seconds:.2f} s: {killed.code}, {shop.containers(lab, HOST)}")
    back(remote, ctx, Edges())
    assert shop.containers(lab, HOST) == dict.fromkeys(ALL, "running")
    assert bring(lab, HOST, replicas(lab, "one", order)).is_unchanged


def recorded(lab: Lab, identity: str, specs: Sequence[ContainerSpec], is_current: bool) -> None:
    """The host's record says that it has this release, or is about to get it."""
    told = {"id": identity, "stack": "shop", "images": [], "services": {}, "secrets": [],
            "containers": {spec.name: spec.digest() for spec in specs}}  # fmt: skip
    who = Origin("ops@desk", "abcdef123456")

    def tasks(name: str) -> None:
        if is_current:
            releases.recorded(name="Record", record=told, origin=who, keep=5)
        else:
            releases.staged(name="Stage", record=told, origin=who)

    assert converge(lab, [HOST], tasks)[HOST].error == ""


def test_what_the_release_added_goes_and_what_was_there_stays(lab: Lab, remote: Remote, tmp_path: Path) -> None:
    """A service that only the new release has does not run on; one that both have unchanged does, and so does one that
    no record knows of."""

    def job(service: str, release: str) -> ContainerSpec:
        stays = "trap 'exit 0' TERM; while :; do sleep 0.1; done"
        return shop.spec(lab, HOST, release, stays, service=service, serves=(), probe=Probe(monitor=1))

    one, two = shop.spec(lab, HOST, "one"), shop.spec(lab, HOST, "two")
    both, stranger, added = job("both", "one"), job("stranger", "zero"), job("added", "two")
    seen = shop.spec(lab, HOST, "two", replica=2)
    bring(lab, HOST, [Replica(spec) for spec in (one, both, stranger)])
    recorded(lab, "aaa", [one, both], is_current=True)
    recorded(lab, "bbb", [two, both, added, seen], is_current=False)
    assert bring(lab, HOST, [Replica(spec, "start-first") for spec in (two, added, seen)], "stopped").error == ""
    edges = Watching(lab)
    back(remote, context(lab, tmp_path, "start-first"), Edges(edges, (remote,)))
    there = ["shop-both-1", "shop-stranger-1", "shop-web-1"]
    assert shop.containers(lab, HOST) == dict.fromkeys(there, "running")
    assert shop.answer(lab, HOST) == "one"
    assert ("drain", {"18001": "two"}) in edges.told
    assert back(remote, context(lab, tmp_path, "start-first"), Edges()) == []


def test_a_first_release_is_not_taken_away(lab: Lab, remote: Remote, tmp_path: Path) -> None:
    """Where nothing served before, what came up stays: there is nothing better."""
    one = shop.spec(lab, HOST, "one")
    recorded(lab, "aaa", [one], is_current=False)
    bring(lab, HOST, [Replica(one)])
    assert back(remote, context(lab, tmp_path, "start-first"), Edges()) == []
    assert shop.answer(lab, HOST) == "one"
