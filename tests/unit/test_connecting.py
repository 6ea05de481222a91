"""Connections are opened once for each host, side by side, and no more at a time than the controller can bear."""

from __future__ import annotations

import socket
from collections import Counter
from multiprocessing import cpu_count
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import pytest

from tests.many_hosts import AsWanted, project  # first: it patches for gevent

# isort: split
import gevent

from slipway.engine.inventory import read_inventory
from slipway.engine.session import state_of
from slipway.seam.errors import HostUnreachable
from slipway.seam.hosts import connect_all, with_connector
from slipway.seam.jump import without_delay

HOSTS = 100


class Slow(AsWanted):
    """A connection that takes a moment, and counts."""

    times: ClassVar[Counter[str]] = Counter()
    now, most = 0, 0

    def connect(self) -> None:
        Slow.times[self.host.name] += 1
        Slow.now += 1
        Slow.most = max(Slow.most, Slow.now)
        gevent.sleep(0.01)
        Slow.now -= 1
        if self.host.name == "web7":
            raise TimeoutError("no answer")


def test_each_host_once_many_at_a_time_and_not_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty for each processor; one that does not answer keeps none of the others."""
    project(tmp_path, HOSTS, 1)
    monkeypatch.chdir(tmp_path)
    inventory = read_inventory(tmp_path / "inventories/fleet.py")
    state = state_of(inventory, [])
    with_connector(inventory, Slow)
    for host in inventory:
        host.init(state)
    with pytest.raises(HostUnreachable) as told:
        connect_all(state)
    assert set(told.value.hosts) == {"web7"} and len(told.value.reached) == HOSTS - 1
    assert set(Slow.times.values()) == {1} and len(Slow.times) == HOSTS
    assert Slow.most == min(HOSTS, 20 * cpu_count())


def test_a_connection_sends_at_once_and_one_through_another_is_left_alone() -> None:
    """A socket gets TCP_NODELAY; a channel through a jump host has no such thing, and needs none."""
    with socket.socket() as own:
        without_delay(SimpleNamespace(sock=own))
        assert own.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    without_delay(SimpleNamespace(sock=object()))
