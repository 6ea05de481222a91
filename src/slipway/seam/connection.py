"""The connection to a host: NODELAY, strict host keys, no prompts, bytes on stdin, time limits that hold."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gevent
from gevent.queue import Queue
from paramiko import SSHException
from pyinfra import logger
from pyinfra.api import StringCommand
from pyinfra.api.output import echo
from pyinfra.api.util import get_file_io
from pyinfra.connectors.base import DataMeta
from pyinfra.connectors.ssh import SSHConnector
from pyinfra.connectors.util import CommandOutput, OutputLine, make_unix_command_for_host

from slipway.facts.files import script
from slipway.printable import printable
from slipway.seam import at_work
from slipway.seam.ahead import Ahead
from slipway.seam.errors import ConnectionLost
from slipway.seam.fence import fenced, refuse_loss
from slipway.seam.learnt import path_of
from slipway.seam.memory import Holds, Memory
from slipway.seam.over_ssh import OverSsh
from slipway.seam.streams import MOST_BYTES, Stream, read_lines, write_all
from slipway.seam.together import Question, question_of
from slipway.seam.trace import counted, traced
from slipway.seam.transport import NOT_OPEN, Transport

COMMAND_SECONDS = 900
"""Time limit of a remote command that names none: a slow mirror's package download fits, a hang does not last."""

GRACE_SECONDS = 20
"""How much longer than the host itself the controller waits for a command's end before it calls the connection dead."""

LINGER_SECONDS = 5
"""How long an ended command may say nothing before it is not listened to any longer: what it has left running may keep
its output open for ever. While something comes, as over a slow link, it is heard out."""

ASK_ANEW_SECONDS = 30
"""Time to be told what still runs on a host, a fresh connection to it included; nobody waits longer for that."""

WORK = "/run/lock"
"""A directory that every Debian has. Whatever may change a host holds a shared lock on it while it runs, children and
all: a run that is killed leaves commands behind, and the next run waits for their end before it begins."""

# Born closed to others; an existing file keeps its owner and mode, a new one gets those of any new file.
_PUT = """\
set -eu
to=$1
[ ! -L "$to" ] || to=$(readlink -f -- "$to")
[ ! -d "$to" ] || { echo "$to is a directory" >&2; exit 1; }
new=$(mktemp -- "$to.XXXXXX")
trap 'rm -f -- "$new"' EXIT
trap 'exit 129' HUP INT PIPE TERM
cat > "$new"
printf '%s  %s\\n' "$2" "$new" | sha256sum --check --status || { echo "the content did not arrive whole" >&2; exit 1; }
if [ -e "$to" ]; then
  chmod --reference="$to" -- "$new"; chown --reference="$to" -- "$new"
else
  chmod "$(printf %o $((0666 & ~$(umask))))" -- "$new"
fi
mv -fT -- "$new" "$to"
"""


class Connection(SSHConnector):
    """pyinfra's SSH connector with NODELAY, strict host keys, no prompts, bytes on stdin, and time limits that hold."""

    data_meta = {  # noqa: RUF012 - the shape pyinfra gives it
        **SSHConnector.data_meta,
        "ssh_strict_host_key_checking": DataMeta("SSH strict host key checking", "yes"),
    }

    transport: Transport = NOT_OPEN
    """How one command is exchanged. What is above it is the same for a host far away and for this one."""
    commands_sent: int = 0
    """Remote commands since the connection was made, the lock's among them; what tests and benchmarks count."""

    def connect(self) -> None:
        with traced(self.host.name, "connect"):
            super().connect()
        self.transport = OverSsh(self.client)

    def _is_open(self) -> bool:
        return self.transport.is_open

    @property
    def why_closed(self) -> str:
        """Why nothing can be asked any more."""
        return self.transport.why_closed

    def disconnect(self) -> None:
        self.memory.foreseen.save()
        if self._ahead.drop():
            self.commands_sent += 1
        counted(self.host.name, self.commands_sent)
        super().disconnect()
        self.transport.close()

    def __init__(self, state: Any, host: Any) -> None:
        super().__init__(state, host)
        self.memory = Memory(self)
        self._ahead = Ahead(self._begun)
        self.token = ""
        """Of the lock that the run holds here; empty outside of one. It stays when the lock has been given back: a
        step that was still about to begin is refused then."""
        self.begun_by: Callable[[], float] | None = None
        """Says by when (seconds since the host started) a change has to have begun; None where it may at any time."""

    def ask(
        self, command: StringCommand, holds: Holds = Holds.UNTIL_ANY_CHANGE, print_output: bool = False,
        print_input: bool = False, **arguments: Any,
    ) -> tuple[bool, CommandOutput]:  # fmt: skip
        """Runs a command that changes nothing. The same question is put once, for as long as its answer holds: what a
        host does by itself is seen when something changes, or the memory is told to forget."""
        return self.memory.ask(command, {"print_output": print_output, "print_input": print_input}, arguments, holds)

    def start_ahead(self, command: StringCommand, **arguments: Any) -> None:
        """Starts a command that changes nothing: it waits there for what it is to read, which the same `_run` sends."""
        seconds = arguments.pop("_timeout", None) or COMMAND_SECONDS
        self._ahead.start(self._unix_command(command, seconds, False, arguments).get_raw_value())

    def _begun(self, words: str) -> Any:
        channel = self.transport.channel()
        self.transport.begin(channel, words)
        return channel

    def learn_from(self, directory: Path) -> None:
        """What the last run asked of this host lies there; what this one asks is left there when it disconnects."""
        self.memory.foreseen.learn_from(path_of(directory, self.host.name))

    def put_file(
        self, filename_or_io: Any, remote_filename: str, remote_temp_filename: str | None = None,
        print_output: bool = False, print_input: bool = False, **arguments: Any,
    ) -> bool:  # fmt: skip
        """What pyinfra's own operations upload: under the lock as any change, whole or not at all, no copy in /tmp."""
        with get_file_io(filename_or_io) as file:
            content = file.read()
        command = script(_PUT, remote_filename, hashlib.sha256(content).hexdigest())
        ok, output = self.run_shell_command(command, print_output, print_input, **{**arguments, "_stdin": content})
        if not ok:
            logger.error("%s%s: %s", self.host.print_prefix, remote_filename, " / ".join(output.output_lines[-3:]))
        return ok

    def check_can_rsync(self) -> None:
        """Raises NotImplementedError: rsync comes to the host by itself, past the lock and the fence."""
        raise NotImplementedError("rsync would go past the host's lock; use slipway.ops.tree, or files.sync")

    def run_shell_command(
        self, command: StringCommand, print_output: bool = False, print_input: bool = False, **arguments: Any
    ) -> tuple[bool, CommandOutput]:
        """Runs a command that may change the host. See `_run` for what it raises."""
        # Counted before and after: an answer that is read while it runs is of no use afterwards.
        self.memory.changed()
        try:
            return self._run(command, print_output, print_input, changes=True, **arguments)
        finally:
            self.memory.changed()

    def _run(
        self, command: StringCommand, print_output: bool = False, print_input: bool = False, changes: bool = False,
        **arguments: Any,
    ) -> tuple[bool, CommandOutput]:  # fmt: skip
        """Runs a command; a time limit that passed and a connection that broke raise, they never look like "no"."""
        seconds = arguments.pop("_timeout", None) or COMMAND_SECONDS
        stdin = arguments.pop("_stdin", None)
        good_codes = arguments.pop("_success_exit_codes", None) or [0]
        get_pty = arguments.pop("_get_pty", False)
        unix_command = self._unix_command(command, seconds, changes, arguments)
        if print_input:
            echo(f"{self.host.print_prefix}>>> {unix_command}", err=True)
        self.commands_sent += 1
        with traced(self.host.name, command.get_raw_value()):
            try:
                code, output = self._exchange(unix_command.get_raw_value(), stdin, get_pty, seconds, print_output)
            except (ConnectionLost, SSHException, OSError, EOFError) as error:
                why = str(error) or self.why_closed  # paramiko says nothing of a channel whose connection has ended
                heard = error.heard if isinstance(error, ConnectionLost) else ()
                raise ConnectionLost(f"{why}{self._still_at_work() if changes else ''}", heard) from error
        self.note_how_it_ended(code, output, seconds, good_codes)
        return code in good_codes, output

    def _unix_command(
        self, command: StringCommand, seconds: float, changes: bool, arguments: dict[str, Any]
    ) -> StringCommand:
        """The command as it goes to the host: as whom, within its time, and under the lock where it changes it."""
        if changes and self.token:
            until = self.begun_by() if self.begun_by else None
            command = fenced(command, self.token, arguments.pop("_chdir", None), arguments.pop("_env", None), until)
        shell = _limited_shell(arguments.get("_shell_executable") or "sh", seconds)
        arguments["_shell_executable"] = f"flock --shared {WORK} {shell}" if changes else shell
        return make_unix_command_for_host(self.state, self.host, command, **self.as_whom(arguments))

    def as_whom(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """pyinfra's arguments, with what they say of whom a command runs as."""
        return arguments

    def note_how_it_ended(
        self, code: int, output: CommandOutput, seconds: float, good_codes: Sequence[int] = (0,)
    ) -> None:
        """Adds why it was killed, where it was. Raises LockLost where it was not begun."""
        refuse_loss(self.host.name, code, output.output_lines)
        if code in (124, 137) and code not in good_codes:
            output.combined_lines.append(OutputLine("stderr", f"{_why_killed(code, seconds)}{self._still_at_work()}"))

    def show_again(self, command: StringCommand, print_input: bool, **arguments: Any) -> None:
        """Prints a command that has gone up among others as if it were going by itself."""
        if not print_input:
            return
        seconds = arguments.pop("_timeout", None) or COMMAND_SECONDS
        for name in ("_success_exit_codes", "_get_pty"):
            arguments.pop(name, None)
        unix_command = self._unix_command(command, seconds, True, arguments)
        echo(f"{self.host.print_prefix}>>> {unix_command}", err=True)

    def print_lines(self, output: CommandOutput, print_output: bool) -> None:
        """Prints what such a command has said."""
        show = self._printer(print_output)
        for line in output.output_lines:
            show(line)

    def _still_at_work(self) -> str:
        """What of ours still runs on the host, asked anew, through another connection where this one is gone."""
        try:
            with gevent.Timeout(ASK_ANEW_SECONDS, TimeoutError(f"no answer within {ASK_ANEW_SECONDS} s")):
                lines = self._list_at_work()
        except Exception as error:  # a postscript to an error that is told anyway
            return f"; what still runs there could not be told: {error}"
        found = at_work.told(lines)
        return f"; still at work there: {found}" if found else "; nothing of it is at work there any more"

    def _list_at_work(self) -> list[str]:
        if self._is_open():
            try:
                return self._run(at_work.at_work(WORK), _sudo=True, _timeout=10)[1].stdout_lines
            except ConnectionLost:
                if self._is_open():  # else it was only just ending when we looked
                    raise
        anew = type(self)(self.state, self.host)
        anew.connect()
        try:
            return anew._run(at_work.at_work(WORK), _sudo=True, _timeout=10)[1].stdout_lines
        finally:
            anew.disconnect()

    def _exchange(
        self, words: str, stdin: Any, get_pty: bool, seconds: float, print_output: bool
    ) -> tuple[int, CommandOutput]:
        waiting = None if get_pty else self._ahead.taken(words)
        channel = waiting or self.transport.channel()
        if get_pty:
            channel.get_pty()
        lines: Queue[OutputLine] = Queue()
        show = self._printer(print_output)
        readers: list[gevent.Greenlet] = []
        longest = seconds + GRACE_SECONDS
        try:
            with gevent.Timeout(longest, TimeoutError(f"no answer within {longest:g} s, its limit was {seconds:g} s")):
                if waiting is None:
                    self.transport.begin(channel, words)
                readers += [
                    gevent.spawn(write_all, channel, stdin),
                    gevent.spawn(read_lines, channel.makefile("rb"), "stdout", lines, show),
                    gevent.spawn(read_lines, channel.makefile_stderr("rb"), "stderr", lines, show),
                ]
                for reader in readers:
                    reader.link_value(lambda ended: channel.close() if ended.value is False else None)
                code = channel.recv_exit_status()
                _hear_out(channel, readers)
        except (SSHException, OSError, EOFError) as error:
            raise ConnectionLost(str(error), list(lines.queue)) from error
        finally:
            gevent.killall(readers, block=False)
            channel.close()
        if any(reader.value is False for reader in readers):
            raise SSHException(f"it said more than {MOST_BYTES >> 20} MiB, and was not listened to any longer")
        if code == -1:
            why = "the channel was closed" if self._is_open() else self.why_closed
            raise ConnectionLost(f"{why} before the command had ended; how it ended is not known", list(lines.queue))
        return code, CommandOutput(list(lines.queue))

    def open_stream(self, command: StringCommand, seconds: int) -> Stream:
        """Starts a command as root and leaves it running: lines are written to it and read from it as they come."""
        shell = _limited_shell("sh", seconds)
        words = make_unix_command_for_host(
            self.state, self.host, command, **self.as_whom({"_sudo": True, "_shell_executable": shell})
        )
        self.commands_sent += 1
        with traced(self.host.name, command.get_raw_value()):
            channel = self.transport.channel()
        channel.set_combine_stderr(True)  # what sudo or the login shell says of why it does not begin
        self.transport.begin(channel, words.get_raw_value())
        return Stream(channel)

    def _printer(self, print_output: bool) -> Callable[[str], None]:
        if not print_output:
            return lambda line: None
        return lambda line: echo(f"{self.host.print_prefix}{printable(line)}", err=True)


def _hear_out(channel: Any, readers: list[gevent.Greenlet]) -> None:
    """Waits for the rest of what an ended command has said."""
    heard = None
    while heard != channel.in_window_sofar:
        heard = channel.in_window_sofar
        gevent.joinall(readers, timeout=LINGER_SECONDS)
        if all(reader.dead for reader in readers):
            return


def _limited_shell(shell: str, seconds: float) -> str:
    """The shell under a time limit that the host itself keeps, whatever becomes of us."""
    return f"timeout --kill-after=10 {int(seconds)} {shell}"


def _why_killed(code: int, seconds: float) -> str:
    return f"timed out after {int(seconds)} s" if code == 124 else "killed (137): out of memory, or its time limit"


class NullConnection(SSHConnector):
    """Stands in while a deploy file is read before the first connection: nothing is asked and nothing answers."""

    def __init__(self, state: Any, host: Any) -> None:
        super().__init__(state, host)
        self.asked: dict[Question, None] = {}
        """What would have been asked, in order; without what is asked by itself only."""

    def connect(self) -> None: ...

    def disconnect(self) -> None: ...

    def run_shell_command(
        self, command: StringCommand, print_output: bool = False, print_input: bool = False, **arguments: Any
    ) -> tuple[bool, CommandOutput]:
        question = question_of(command, arguments)
        if not question.alone:
            self.asked[question] = None
        return True, CommandOutput([])
