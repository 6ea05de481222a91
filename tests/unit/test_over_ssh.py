"""One command over SSH, against paramiko's own server: what is waited for, and what a refusal looks like."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import gevent
import pytest
from gevent.event import Event
from paramiko import AUTH_SUCCESSFUL, OPEN_SUCCEEDED, Channel, ECDSAKey, ServerInterface, SSHException, Transport

from slipway.seam.over_ssh import OverSsh

SECONDS = 20
"""For a command between two ends of one process."""


class Host(ServerInterface):
    """Lets everybody in, and says of a command what it is told to, when it is told to."""

    def __init__(self, starts: bool) -> None:
        self.starts, self.may_answer = starts, Event()
        self.asked: list[bytes] = []

    def check_auth_none(self, username: str) -> int:
        return AUTH_SUCCESSFUL

    def get_allowed_auths(self, username: str) -> str:
        return "none"

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: Channel, command: bytes) -> bool:
        self.may_answer.wait()
        self.asked.append(command)
        return self.starts


@contextmanager
def reached(host: Host) -> Iterator[tuple[OverSsh, Transport]]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near, far = socket.create_connection(listener.getsockname()), listener.accept()[0]
    there, here = Transport(far), Transport(near)
    there.add_server_key(ECDSAKey.generate())
    there.start_server(server=host, event=Event())
    try:
        here.start_client(timeout=SECONDS)
        here.auth_none("somebody")
        yield OverSsh(SimpleNamespace(get_transport=lambda: here, close=here.close)), there
    finally:
        here.close()
        there.close()


def test_what_a_command_reads_follows_it_at_once() -> None:
    """The host has not even said that the command has started when its input is on its way; it gets all of it."""
    host = Host(starts=True)
    with gevent.Timeout(SECONDS), reached(host) as (transport, there):
        channel = transport.channel()
        transport.begin(channel, "cat")
        channel.sendall(b"all of it")
        channel.shutdown_write()
        host.may_answer.set()
        asked = there.accept(SECONDS)
        assert asked.makefile("rb").read() == b"all of it" and host.asked == [b"cat"]
        asked.send_exit_status(3)
        assert channel.recv_exit_status() == 3


def test_a_command_that_is_refused_has_not_ended_well() -> None:
    """Nobody waits for its end: its channel is closed, without an exit code. The next one is asked all the same."""
    host = Host(starts=False)
    host.may_answer.set()
    with gevent.Timeout(SECONDS), reached(host) as (transport, _):
        channel = transport.channel()
        transport.begin(channel, "cat")
        assert channel.recv_exit_status() == -1 and channel.closed
        with pytest.raises(SSHException, match="before the command was sent"):
            transport.begin(channel, "cat")
        host.starts = True
        transport.begin(transport.channel(), "next")
        gevent.sleep(0)
        while host.asked != [b"cat", b"next"]:
            gevent.sleep(0.01)
