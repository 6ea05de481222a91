"""One connection to a jump host: waited for while it is made, made anew when it has ended, closed at the end."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import gevent
import pytest
from paramiko import SSHException

from slipway.seam import jump


class Client:
    """Where pyinfra's own client would connect: takes a moment, and says how often it was asked."""

    made: list[Client] = []  # noqa: RUF012 - emptied for each test

    def __init__(self) -> None:
        self.is_active, self.sock = True, object()
        self.made.append(self)

    def connect(self, hostname: str, sock: Any, **options: Any) -> None:
        gevent.sleep(0.01)  # others come meanwhile
        if hostname == "down":
            raise ConnectionRefusedError("refused")

    def get_transport(self) -> Any:
        return SimpleNamespace(is_active=lambda: self.is_active, sock=self.sock)

    def gateway(self, *place: Any, timeout: float | None = None) -> tuple[Any, ...]:
        return (self, *place)

    def close(self) -> None:
        self.is_active = False


@pytest.fixture(autouse=True)
def clients(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Client]]:
    """Every connection that was made."""
    monkeypatch.setattr(jump, "_Client", Client)
    Client.made.clear()
    yield Client.made
    jump.leave_jump_hosts()


def through(hostname: str, sock: Any = None, **options: Any) -> Any:
    host = jump.JumpHost()
    host.connect(hostname, sock=sock, **options)
    return host.gateway("web1", 22, "10.0.0.1", 22)[0]


def test_many_hosts_at_once_share_one(clients: list[Client]) -> None:
    """Those that come while it is made wait for it; whoever logs in otherwise, or elsewhere, has another."""
    jobs = [gevent.spawn(through, "bastion", port=22, username="ops") for _ in range(20)]
    gevent.joinall(jobs, raise_error=True)
    assert {id(job.value) for job in jobs} == {id(clients[0])}
    assert through("bastion", port=22, username="root") is not clients[0]
    assert through("bastion2", port=22, username="ops") is not clients[0]
    assert len(clients) == 3


def test_one_that_has_ended_is_made_anew(clients: list[Client]) -> None:
    """A host that is asked again after its jump host was restarted gets there."""
    first = through("bastion")
    first.close()
    assert through("bastion") is not first
    assert len(clients) == 2


def test_one_that_does_not_answer_is_named_to_all_who_wait(clients: list[Client]) -> None:
    """One try for those that wait together, and its own words; a later one is tried again."""
    jobs = [gevent.spawn(through, "down") for _ in range(5)]
    gevent.joinall(jobs)
    assert {str(job.exception) for job in jobs} == {"jump host down: refused"}
    assert all(isinstance(job.exception, SSHException) for job in jobs)
    assert len(clients) == 1
    with pytest.raises(SSHException, match="jump host down"):
        through("down")
    assert len(clients) == 2


def test_all_are_closed_at_the_end(clients: list[Client]) -> None:
    """None is left open on the jump host when the run ends."""
    through("bastion")
    through("bastion2")
    jump.leave_jump_hosts()
    assert [client.is_active for client in clients] == [False, False]


def test_a_channel_that_is_not_needed_is_given_back(clients: list[Client]) -> None:
    """Of two jump hosts the second is reached through the first: once, whoever else opens a way there."""
    before, closed = object(), list[int]()
    ways = [SimpleNamespace(get_transport=lambda: before, close=lambda n=n: closed.append(n)) for n in range(3)]
    assert len({id(through("inner", sock=way)) for way in ways}) == 1
    assert closed == [1, 2]
