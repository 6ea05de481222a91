"""Changes of several operations in one command: each operation then tells, in its turn, what became of its own."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pyinfra import logger
from pyinfra.api import State, StringCommand
from pyinfra.api.arguments import CONNECTOR_ARGUMENT_KEYS
from pyinfra.api.host import Host
from pyinfra.connectors.util import CommandOutput

from slipway.seam.arguments import call_arguments
from slipway.seam.connection import COMMAND_SECONDS, Connection
from slipway.seam.errors import ConnectionLost, LockLost
from slipway.seam.fence import fenced
from slipway.seam.one_go import Change, in_one_go, outcomes
from slipway.seam.together import PRIVILEGE, Answer, question_of
from slipway.touches import Touch, touch_of

MOST = 50
"""Operations that are looked at together. Their commands are three kilobytes each; more would only wait for each other
where one fails."""

MOST_BYTES = 4 << 20
"""Content that goes up in one command: it is held in memory here, and each file's on the host. A larger file takes so
long that a command of its own costs nothing."""

_ALONE = ("_if", "_retries", "_retry_until", "_slipway_run_once", "_use_sudo_login", "_use_su_login")
"""Arguments of operations that go by themselves: a condition may ask what became of an operation before it, one that
is tried again is not over, and a login shell would expand what is meant for ours."""

Tell = Callable[[bool, bool], tuple[bool, CommandOutput]]


@dataclass(frozen=True)
class Going:
    """A command that goes up with others."""

    command: StringCommand
    change: Change
    arguments: dict[str, Any]
    """The connector's, for it."""


Found = tuple[str, Going | None]
"""An operation's identity, and what it is going to do; None where it is nothing."""


class Settled(StringCommand):
    """A command that has gone up among others. To execute it is to be told what became of it."""

    def __init__(self, command: StringCommand, tell: Tell) -> None:
        arguments: Any = command.connector_arguments
        super().__init__(*command.bits, _separator=command.separator, **arguments)
        self._tell = tell

    def execute(self, state: Any, host: Any, connector_arguments: Any) -> tuple[bool, CommandOutput]:
        return self._tell(state.print_output, state.print_input)


def send_together(state: State, host: Host, identities: Sequence[str]) -> None:
    """Where the first of these operations is going to change a path, and others behind it change paths apart from it,
    their commands go to the host at once, in their order, up to the first that fails.

    Nothing is told of it here: each operation tells its own result when it is run. One that was not begun is as before.
    """
    connection = host.connector
    if not isinstance(connection, Connection) or not connection.memory.is_on:
        return
    group = _group(state, host, identities)
    found = _found(connection, group) if group else []
    if sum(going is not None for _, going in found) > 1:
        _settle(connection, found, list(_send(connection, [going for _, going in found if going])))


def is_settled(host: Host, identity: str) -> bool:
    """Whether the operation has been to its host already, and running it begins nothing."""
    return isinstance(host.connector, Connection) and identity in host.connector.memory.foreseen.settled


def _group(state: State, host: Host, identities: Sequence[str]) -> list[str]:
    """Operations from the first up to the last that is expected to change something, each apart from all others."""
    operations, taken = state.ops[host], dict[str, Touch]()
    first, expected = operations.get(identities[0]), []
    if first is None or not first.operation_meta._maybe_is_change:
        return []  # nothing is to be done now: whatever comes later has its own turn
    for identity in identities[:MOST]:
        data = operations.get(identity)
        touch = _touch(data) if data and _privilege(data) == _privilege(first) else None
        if data is None or touch is None or not all(touch.goes_after(each) for each in taken.values()):
            break
        taken[identity] = touch
        if data.operation_meta._maybe_is_change:
            expected.append(len(taken))
    return list(taken)[: expected[-1]] if len(expected) > 1 else []


def _privilege(data: Any) -> list[Any]:
    return [data.global_arguments.get(key) for key in sorted(PRIVILEGE)]


def _touch(data: Any) -> Touch | None:
    """What an operation has to do with, where that is one path and nothing else decides about it."""
    if any(data.global_arguments.get(key) for key in _ALONE):
        return None
    generator = data.command_generator  # pyinfra's, made in `operation`: what it was called with is in its closure
    cells = dict(zip(generator.__code__.co_freevars, generator.__closure__ or (), strict=True))
    if not {"func", "args", "kwargs"} <= cells.keys():
        return None
    function, arguments, named = (cells[name].cell_contents for name in ("func", "args", "kwargs"))
    return touch_of(function, call_arguments(function, *arguments, **named))


def _found(connection: Connection, group: Sequence[str]) -> list[Found]:
    """What each is going to do, by what the host has now; up to the first that has to go by itself."""
    found, size, foreseen = list[Found](), 0, connection.memory.foreseen
    foreseen.reads_ahead_to = group[-1]
    try:
        for identity in group:
            going, may_go = _look(connection, identity)
            size += len(going.change.stdin) if going else 0
            if not may_go or size > MOST_BYTES:
                break
            found.append((identity, going))
    finally:
        foreseen.reads_ahead_to = ""
    while found and found[-1][1] is None:
        found.pop()
    return found


def _look(connection: Connection, identity: str) -> tuple[Going | None, bool]:
    """What it is going to do, and whether it may do so along with others."""
    host = connection.host
    data = connection.state.ops[host][identity]
    host.executing_op_hash = identity
    try:
        commands = list(data.command_generator())
    except Exception:  # it happens again in its turn, and is told there
        return None, False
    finally:
        host.executing_op_hash = None
    if not commands:
        return None, True
    command = commands[0]
    if len(commands) > 1 or not isinstance(command, StringCommand):
        return None, False
    arguments: dict[str, Any] = {
        key: value for key, value in data.global_arguments.items() if key in CONNECTOR_ARGUMENT_KEYS
    }
    going = _going(command, {**arguments, **command.connector_arguments})
    return going, going is not None


def _going(command: StringCommand, arguments: dict[str, Any]) -> Going | None:
    stdin = arguments.pop("_stdin", None) or b""
    question = question_of(command, arguments)
    if question.alone or not isinstance(stdin, bytes):
        return None
    seconds = int(arguments.get("_timeout") or COMMAND_SECONDS)
    return Going(command, Change(question.words, stdin, seconds, question.shell), arguments)


def _send(connection: Connection, going: Sequence[Going]) -> Iterator[Answer | Exception]:
    """What became of each, in order, up to the first that failed or of which nobody can tell."""
    changes = [_behind_the_fence(each.change, connection.token) for each in going]
    mark = secrets.token_hex(16)
    command, stdin = in_one_go(mark, changes)
    privilege = {key: value for key, value in going[0].arguments.items() if key in PRIVILEGE and value}
    limit = sum(each.seconds for each in changes)
    error: Exception = ConnectionLost("how it ended could not be told from what the host has said")
    try:
        is_ok, output = connection.run_shell_command(command, _stdin=stdin, _timeout=limit, **privilege)
    except (ConnectionLost, LockLost) as lost:
        error, is_ok = lost, True
        output = CommandOutput(list(lost.heard) if isinstance(lost, ConnectionLost) else [])
    logger.debug("%s%d changes in one go", connection.host.print_prefix, len(changes))
    yield from (error if each is None else each for each in outcomes(mark, len(changes), is_ok, output))


def _behind_the_fence(change: Change, token: str) -> Change:
    """The same change, begun only while the lock is ours: one in the middle of many is refused as one by itself."""
    if not token:
        return change
    return replace(change, words=fenced(StringCommand(change.words), token, None, None).get_raw_value())


def _settle(connection: Connection, found: Sequence[Found], told: list[Answer | Exception]) -> None:
    """Each operation whose turn was taken tells its result when it is run, once; tried again, it goes as ever."""
    for identity, going in found:
        if not told:
            return
        commands = [Settled(going.command, _teller(connection, going, told.pop(0)))] if going else []
        data = connection.state.ops[connection.host][identity]
        data.command_generator = _once(commands, data.command_generator)
        connection.memory.foreseen.settled.add(identity)


def _once(commands: Sequence[Any], stock: Callable[[], Iterator[Any]]) -> Callable[[], Iterator[Any]]:
    left = [commands]

    def generator() -> Iterator[Any]:
        yield from left.pop() if left else stock()

    return generator


def _teller(connection: Connection, going: Going, answer: Answer | Exception) -> Tell:
    """What executing the command gives, or raises, as if it had gone by itself."""

    def tell(print_output: bool, print_input: bool) -> tuple[bool, CommandOutput]:
        connection.show_again(going.command, print_input, **going.arguments)
        if isinstance(answer, Exception):
            raise answer
        output = answer.output
        connection.print_lines(output, print_output)
        connection.note_how_it_ended(answer.code, output, going.change.seconds)
        return answer.code == 0, output

    return tell
