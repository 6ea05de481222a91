"""Bad releases under the whole load: each stops where it begins, nobody notices, and the error says why."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from tests.rollout.fleet import WORKERS, Fleet, Told, assert_unnoticed, watched
from tests.rollout.load import Seen
from tests.stack.project import Variant

pytestmark = pytest.mark.hosts

Service = dict[str, Any]
SLOT_1_OF_API = 18005
"""The first port that a successor of the demo's api may get."""


@dataclass(frozen=True)
class Bad:
    """A release that must not come."""

    name: str
    spoil: Callable[[Service], None]
    """What is wrong with the service `api`."""
    told: str
    """What the error must say."""


def _never_ready(api: Service) -> None:
    api["environment"]["DB_HOST"] = "127.0.0.1"  # nobody answers there: /ready says 503 for ever
    api["x-slipway"]["ready"]["timeout_seconds"] = 8


def _dies_later(api: Service) -> None:
    # The program starts in some seconds, is ready, and ends at 25 s: the monitor time has to see it.
    api["command"] = ["timeout", "25", "python3", "-m", "demo", "api"]
    api["deploy"]["update_config"]["monitor"] = "40s"


def _crash_loops(api: Service) -> None:
    api["command"] = ["sh", "-c", "echo no configuration for the colour blue; exit 3"]


def _eats_memory(api: Service) -> None:
    api["command"] = ["python3", "-c", "held = bytearray(256 << 20)"]
    api["deploy"]["resources"] = {"limits": {"memory": "32M"}}


def _image_is_missing(api: Service) -> None:
    del api["build"]
    # Nothing listens there: a registry that is down looks no different to a host.
    api["image"] = f"127.0.0.1:9/demo@sha256:{'0' * 64}"


BAD = [
    Bad("never ready", _never_ready, "not ready after 8 s"),
    Bad("dies 20 s after it was ready", _dies_later, "was ready, "),
    Bad("crash loop", _crash_loops, "no configuration for the colour blue"),
    Bad("killed for memory", _eats_memory, "killed for memory (137), its limit is 32 MiB"),
    Bad("image missing", _image_is_missing, "127.0.0.1:9/demo"),
]


@pytest.mark.sample("bad releases", 2)
@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.name)
def test_a_bad_release_stops_at_its_first_host(fleet: Fleet, variant: Variant, bad: Bad) -> None:
    """Exit 1 with the reason; no request failed; the old release serves everywhere and nothing is left of the new."""
    with variant.compose() as document:
        bad.spoil(document["services"]["api"])
    told, seen = _tried(fleet, variant)
    assert bad.told in told.errors, told.errors
    _nothing_came_of_it(fleet, told, seen)


@pytest.mark.sample("bad releases", 2)
def test_a_taken_port_stops_it_before_anything_is_touched(fleet: Fleet, variant: Variant) -> None:
    """The preflight names the port and the process that holds it, and so does the gate."""
    with variant.compose() as document:
        document["services"]["api"]["environment"]["RELEASE_NOTE"] = "port taken"
    with _port_taken(fleet, "worker1", _free_slot(fleet, "worker1")) as port:
        stopped = watched(variant, "deploy", "lab")
        # It may have been taken since the hosts were looked at.
        told, seen = _tried(fleet, variant, "--despite", "port")
    assert stopped.returncode == 1 and f":{port}, taken by perl" in stopped.stderr, stopped.stderr
    assert f":{port} is taken: " in told.errors, told.errors
    assert "perl" in told.errors, told.errors
    _nothing_came_of_it(fleet, told, seen)


def test_hosts_that_had_moved_go_back(fleet: Fleet, variant: Variant) -> None:
    """The second host cannot take it, and the policy says rollback: the first is back, the third was not touched."""
    with variant.compose() as document:
        document["services"]["api"]["environment"]["RELEASE_NOTE"] = "port taken on the second"
    with _port_taken(fleet, "worker2", _free_slot(fleet, "worker2")):
        told, seen = _tried(fleet, variant, "--despite", "port")
    assert told.events[-1]["details"]["taken_back"] == ["worker1"], told.errors
    assert told.events[-1]["details"]["untouched"] == ["worker3"], told.errors
    assert_unnoticed(seen, told, code=1)
    _all_is_as_before(fleet)


def _tried(fleet: Fleet, variant: Variant, *options: str) -> tuple[Told, Seen]:
    with fleet.load() as seen:
        told = watched(variant, "deploy", "lab", *options)
    print(seen.told())
    assert told.returncode == 1, told.stderr
    return told, seen


def _nothing_came_of_it(fleet: Fleet, told: Told, seen: Seen) -> None:
    assert_unnoticed(seen, told, code=1)
    assert len(seen.releases) == 1, seen.releases
    _all_is_as_before(fleet)


def _all_is_as_before(fleet: Fleet) -> None:
    old = fleet.project.plan()
    assert old["hosts"] == {}, old["hosts"]
    assert fleet.project.served() == {worker: {old["release"]} for worker in WORKERS}
    for worker in WORKERS:
        assert not [name for name in fleet.containers(worker) if name.endswith("-previous")]


def _free_slot(fleet: Fleet, worker: str) -> int:
    """The port that the successor of the first api there will get."""
    held = {int(address.rpartition(":")[2]) for address in _peers_on(fleet, worker)}
    return next(port for port in (SLOT_1_OF_API, SLOT_1_OF_API - 5) if port not in held)


def _peers_on(fleet: Fleet, worker: str) -> list[str]:
    address = fleet.project.lab.address(worker)
    return [peer for peer in fleet.admitted("edge1")["api"] if peer.startswith(f"{address}:")]


_HOLD = "use IO::Socket; my $s = IO::Socket::INET->new(LocalAddr => $ARGV[0], Listen => 1) or die $!; sleep 600"


@contextmanager
def _port_taken(fleet: Fleet, worker: str, port: int) -> Iterator[int]:
    """Some other program of the host listens there."""
    address = f"{fleet.project.lab.address(worker)}:{port}"
    words = ["systemd-run", "--unit=taker", "--collect", "perl", "-e", _HOLD, address]
    assert fleet.project.lab.exec(worker, words).code == 0
    try:
        yield port
    finally:
        fleet.project.lab.exec(worker, ["systemctl", "stop", "taker"])
