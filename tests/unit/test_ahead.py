"""A command that is started before what it reads is known: who gets it, and what becomes of one that nobody wants."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import gevent
import pytest
from pyinfra.api import StringCommand

from slipway.facts.files import script
from slipway.seam import ahead
from slipway.seam.connection import Connection
from slipway.seam.hosts import ready_to_ask, ready_to_prove
from slipway.seam.memory import Holds
from tests.this_host import connected_here

SHELL = StringCommand("sh", "-s", "read this")


class Begun:
    """The connection to this machine, and the channels of what was begun on it."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.channels: list[Any] = []
        transport: Any = connection.transport
        begin = transport.begin

        def noted(channel: Any, words: str) -> None:
            self.channels.append(channel)
            begin(channel, words)

        transport.begin = noted

    def run(self, text: str, **arguments: Any) -> list[str]:
        return self.connection._run(SHELL, _stdin=text.encode(), **arguments)[1].stdout_lines

    def is_over(self, number: int) -> bool:
        with gevent.Timeout(10, False):
            return self.channels[number].recv_exit_status() == 0
        return False


@pytest.fixture
def begun() -> Iterator[Begun]:
    with connected_here() as connection:
        yield Begun(connection)


def test_what_was_started_ahead_is_what_runs(begun: Begun) -> None:
    """It has been there before its input is; the next one is begun anew. Both answer, and count once."""
    begun.connection.start_ahead(SHELL)
    gevent.sleep(0)
    assert len(begun.channels) == 1
    assert begun.run("echo one") == ["one"] and len(begun.channels) == 1
    assert begun.run("echo two") == ["two"] and len(begun.channels) == 2
    assert begun.connection.commands_sent == 2


@pytest.mark.parametrize("other", [{"_timeout": 7}, {"_shell_executable": "bash"}])
def test_another_command_does_not_get_it(begun: Begun, other: dict[str, Any]) -> None:
    """Another time limit, another shell: it is another command. What nobody takes ends with the connection."""
    begun.connection.start_ahead(SHELL)
    assert begun.run("echo one", **other) == ["one"] and len(begun.channels) == 2
    begun.connection.disconnect()
    assert begun.is_over(0) and begun.connection.commands_sent == 2


def test_one_that_has_waited_too_long_is_left(begun: Begun, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its time limit has been running: it could end in the middle of its work."""
    begun.connection.start_ahead(SHELL, _timeout=900)
    later = time.monotonic() + ahead.FRESH_SECONDS + 1
    monkeypatch.setattr(ahead.time, "monotonic", lambda: later)
    assert begun.run("echo one", _timeout=900) == ["one"] and len(begun.channels) == 2
    begun.connection.start_ahead(SHELL, _timeout=900)
    assert begun.is_over(0)


def test_one_that_has_ended_is_begun_anew(begun: Begun, monkeypatch: pytest.MonkeyPatch) -> None:
    """The channel is closed, or could not be had at all: the command runs as if nothing had been started."""
    begun.connection.start_ahead(SHELL)
    gevent.sleep(0)
    begun.channels[0].close()
    assert begun.run("echo one") == ["one"] and len(begun.channels) == 2
    transport: Any = begun.connection.transport
    with monkeypatch.context() as refused:
        refused.setattr(transport, "channel", lambda: 1 / 0)
        begun.connection.start_ahead(SHELL)
        gevent.sleep(0)
    assert begun.run("echo two") == ["two"] and len(begun.channels) == 3


def test_the_shell_for_what_the_last_run_asked_is_there_before_the_first_question(begun: Begun, tmp_path: Any) -> None:
    """Nothing is started where nothing is known to be asked; else the questions go to what was started."""
    hosts, first, second = [begun.connection.host], script("echo one"), script("echo two")
    begun.connection.learn_from(tmp_path)
    ready_to_ask(hosts)
    gevent.sleep(0)
    assert begun.channels == []
    assert [begun.connection.ask(each)[1].stdout_lines for each in (first, second)] == [["one"], ["two"]]
    begun.connection.memory.foreseen.save()
    begun.connection.learn_from(tmp_path)
    begun.connection.memory.renew()
    ready_to_ask(hosts)
    gevent.sleep(0)
    count = len(begun.channels)
    assert [begun.connection.ask(each)[1].stdout_lines for each in (first, second)] == [["one"], ["two"]]
    assert len(begun.channels) == count


def test_the_shell_for_what_was_announced_is_there_before_it_is_asked(begun: Begun) -> None:
    """One question by itself needs none."""
    hosts, announced = [begun.connection.host], [script("echo one"), script("echo two")]
    begun.connection.memory.announce(announced[0], {"_timeout": 5})
    ready_to_prove(hosts)
    gevent.sleep(0)
    assert begun.channels == []
    begun.connection.memory.announce(announced[1], {"_timeout": 6})
    ready_to_prove(hosts)
    gevent.sleep(0)
    assert len(begun.channels) == 1
    said = [begun.connection.ask(each, Holds.NOT, _timeout=5 + more) for more, each in enumerate(announced)]
    assert [output.stdout_lines for _, output in said] == [["one"], ["two"]] and len(begun.channels) == 1
