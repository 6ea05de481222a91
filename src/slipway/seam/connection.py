"""The connection to a host: NODELAY, strict host keys, no prompts, bytes on stdin, time limits that hold."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gevent
import pyinfra.connectors.sshuserclient.client as ssh_client
from gevent.queue import Queue
from paramiko import SSHException
from pyinfra.api import StringCommand
from pyinfra.api.output import echo
from pyinfra.connectors.base import DataMeta
from pyinfra.connectors.ssh import SSHConnector
from pyinfra.connectors.util import CommandOutput, OutputLine, make_unix_command_for_host

COMMAND_SECONDS = 900
"""Time limit of a remote command that names none: a slow mirror's package download fits, a hang does not last."""

GRACE_SECONDS = 20
"""How much longer than the host itself the controller waits for a command's end before it calls the connection dead."""

OPEN_SECONDS = 30
"""Time to open a channel on a connection that stands: a black hole is told after this."""


class Connection(SSHConnector):
    """pyinfra's SSH connector with NODELAY, strict host keys, no prompts, bytes on stdin, and time limits that hold."""

    data_meta = {  # noqa: RUF012 - the shape pyinfra gives it
        **SSHConnector.data_meta,
        "ssh_strict_host_key_checking": DataMeta("SSH strict host key checking", "yes"),
    }

    commands_run = 0
    """Remote commands since the connection was made; what the benchmarks count."""

    def connect(self) -> None:
        super().connect()
        transport = self._transport
        # paramiko leaves Nagle's algorithm on: 44 to 50 ms a command instead of 2 to 4 over loopback.
        transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # A stateful firewall forgets an idle connection in minutes; a beat every 15 s keeps it.
        transport.set_keepalive(15)

    @property
    def _transport(self) -> Any:
        transport = self.client.get_transport() if self.client is not None else None
        if transport is None:
            raise SSHException("the connection is not open")
        return transport

    def disconnect(self) -> None:
        super().disconnect()
        if self.client is not None:
            self.client.close()

    def __init__(self, state: Any, host: Any) -> None:
        super().__init__(state, host)
        self._changes = 0
        self._answers: dict[tuple[str, str], tuple[int, tuple[bool, CommandOutput]]] = {}

    def ask(self, command: StringCommand, **arguments: Any) -> tuple[bool, CommandOutput]:
        """Runs a command that changes nothing. The same question is put once, until something runs that may change
        the answer, or `forget` is called: what a host does by itself is seen no later than that."""
        question = (command.get_raw_value(), repr(sorted(arguments.items(), key=lambda item: item[0])))
        known = self._answers.get(question)
        if known and known[0] == self._changes:
            return known[1]
        before = self._changes
        answer = self._run(command, **arguments)
        if answer[0] and before == self._changes:
            self._answers[question] = (before, answer)
        return answer

    def forget(self) -> None:
        """Every answer is asked for anew."""
        self._answers.clear()

    def put_file(self, *arguments: Any, **options: Any) -> bool:
        """As pyinfra's; a change."""
        self._changes += 1
        return super().put_file(*arguments, **options)

    def run_shell_command(
        self, command: StringCommand, print_output: bool = False, print_input: bool = False, **arguments: Any
    ) -> tuple[bool, CommandOutput]:
        """Runs a command that may change the host. See `_run` for what it raises."""
        # Counted before and after: an answer that is read while it runs is of no use afterwards.
        self._changes += 1
        try:
            return self._run(command, print_output, print_input, **arguments)
        finally:
            self._changes += 1

    def _run(
        self, command: StringCommand, print_output: bool = False, print_input: bool = False, **arguments: Any
    ) -> tuple[bool, CommandOutput]:
        """Runs a command; a time limit that passed and a connection that broke raise, they never look like "no"."""
        seconds = arguments.pop("_timeout", None) or COMMAND_SECONDS
        stdin = arguments.pop("_stdin", None)
        good_codes = arguments.pop("_success_exit_codes", None) or [0]
        get_pty = arguments.pop("_get_pty", False)
        arguments["_shell_executable"] = _limited_shell(arguments.get("_shell_executable") or "sh", seconds)
        unix_command = make_unix_command_for_host(self.state, self.host, command, **arguments)
        if print_input:
            echo(f"{self.host.print_prefix}>>> {unix_command}", err=True)
        self.commands_run += 1
        code, output = self._exchange(unix_command.get_raw_value(), stdin, get_pty, seconds, print_output)
        if code in (124, 137) and code not in good_codes:
            output.combined_lines.append(OutputLine("stderr", _why_killed(code, seconds)))
        return code in good_codes, output

    def _exchange(
        self, words: str, stdin: Any, get_pty: bool, seconds: float, print_output: bool
    ) -> tuple[int, CommandOutput]:
        channel = self._transport.open_session(timeout=OPEN_SECONDS)
        if get_pty:
            channel.get_pty()
        channel.exec_command(words)
        lines: Queue[OutputLine] = Queue()
        show = self._printer(print_output)
        readers = [
            gevent.spawn(_write_all, channel, stdin),
            gevent.spawn(_read_lines, channel.makefile("rb"), "stdout", lines, show),
            gevent.spawn(_read_lines, channel.makefile_stderr("rb"), "stderr", lines, show),
        ]
        try:
            with gevent.Timeout(seconds + GRACE_SECONDS, TimeoutError(f"no answer within {seconds + GRACE_SECONDS} s")):
                gevent.joinall(readers)
                code = channel.recv_exit_status()
        finally:
            gevent.killall(readers, block=False)
            channel.close()
        if code == -1:
            raise SSHException("the connection ended before the command did; how it ended is not known")
        return code, CommandOutput(list(lines.queue))

    def open_stream(self, command: StringCommand, seconds: int) -> Stream:
        """Starts a command as root and leaves it running: lines are written to it and read from it as they come."""
        shell = _limited_shell("sh", seconds)
        words = make_unix_command_for_host(self.state, self.host, command, _sudo=True, _shell_executable=shell)
        channel = self._transport.open_session(timeout=OPEN_SECONDS)
        channel.exec_command(words.get_raw_value())
        return Stream(channel)

    def _printer(self, print_output: bool) -> Callable[[str], None]:
        if not print_output:
            return lambda line: None
        return lambda line: echo(f"{self.host.print_prefix}{line}", err=True)


class Stream:
    """A running command on a host."""

    def __init__(self, channel: Any) -> None:
        self._channel = channel
        self._lines = channel.makefile("rb")

    def write(self, line: str) -> None:
        """Raises OSError where the command or the connection has ended."""
        self._channel.sendall(f"{line}\n".encode())

    def read_line(self) -> str | None:
        """The next line; None where it has ended."""
        raw = self._lines.readline()
        return raw.decode("utf-8", errors="replace").rstrip("\n") if raw else None

    def exit_code(self) -> int:
        """Waits for the end. -1 where the connection broke first."""
        return int(self._channel.recv_exit_status())

    def close(self) -> None:
        self._channel.close()


def host_keys(filenames: tuple[str, ...]) -> Any:
    """The keys in these files, as they are now: pyinfra reads a file once for the life of the process."""
    stamps = tuple((name, _stamp(name)) for name in filenames)
    if stamps not in _keys:
        _stock_host_keys.cache.clear()
        _keys[stamps] = _stock_host_keys(filenames)
    return _keys[stamps]


def _stamp(name: str) -> tuple[int, int, int]:
    try:
        found = Path(name).stat()
    except OSError:
        return (0, 0, 0)
    return (found.st_ino, found.st_size, found.st_mtime_ns)


_stock_host_keys: Any = ssh_client.get_host_keys
_keys: dict[Any, Any] = {}


def _limited_shell(shell: str, seconds: float) -> str:
    """The shell under a time limit that the host itself keeps, whatever becomes of us."""
    return f"timeout --kill-after=10 {int(seconds)} {shell}"


def _why_killed(code: int, seconds: float) -> str:
    return f"timed out after {int(seconds)} s" if code == 124 else "killed (137): out of memory, or its time limit"


def _chunks(stdin: Any) -> Iterator[bytes]:
    """What goes to standard input, in pieces: bytes as they are, text as UTF-8, lines ended as pyinfra ends them."""
    if stdin is None:
        return
    if isinstance(stdin, bytes):
        yield stdin
    elif hasattr(stdin, "read"):
        yield from _chunks(stdin.read())
    elif isinstance(stdin, str):
        yield (stdin if stdin.endswith("\n") else f"{stdin}\n").encode()
    else:
        for part in stdin:
            yield from _chunks(part)


def _write_all(channel: Any, stdin: Any) -> None:
    # A command that ends without reading all of its input closes the channel: its exit status says what happened.
    with contextlib.suppress(OSError):
        for chunk in _chunks(stdin):
            channel.sendall(chunk)
        channel.shutdown_write()


def _read_lines(stream: Any, name: str, lines: Queue[OutputLine], show: Callable[[str], None]) -> None:
    for raw in stream:
        # A compromised or misconfigured host may send any bytes: they are text to us, never an exception.
        line = raw.decode("utf-8", errors="replace").rstrip("\n")
        lines.put(OutputLine(name, line))
        show(line)


class NullConnection(SSHConnector):
    """Stands in while a deploy file is read before the first connection: nothing is asked and nothing answers."""

    def connect(self) -> None: ...

    def disconnect(self) -> None: ...

    def run_shell_command(self, command: StringCommand, *args: Any, **arguments: Any) -> tuple[bool, CommandOutput]:
        return True, CommandOutput([])


_stock_policy: Any = ssh_client.get_missing_host_key_policy


def policy_without_prompts(policy: str | None) -> Any:
    """What pyinfra would ask a person is refused: a scheduled run has nobody to ask."""
    return ssh_client.StrictPolicy() if policy in (None, "ask") else _stock_policy(policy)
