"""Commands on the host that this runs on: a channel is a process, with the words that paramiko has for one.

Everything above the channel is the connection's own, as for any host: the lock and its fence, time limits that the
host keeps, questions asked in one go, and an end that nobody knows is never taken for an answer.
"""

from __future__ import annotations

import os
import pwd
from contextlib import suppress
from typing import Any

from gevent.subprocess import PIPE, STDOUT, Popen

from slipway.seam.connection import Connection
from slipway.seam.trace import traced

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""As sshd and sudo have it on Debian."""
UMASK = 0o022
"""Of a log-in: what a unit says of its own must not reach the files that commands make."""


class Here(Connection):
    """The host itself, without SSH. As root nobody is asked for sudo."""

    def connect(self) -> None:
        with traced(self.host.name, "connect"):
            self.transport = ThisHost()

    def as_whom(self, arguments: dict[str, Any]) -> dict[str, Any]:
        if os.geteuid() != 0 or arguments.get("_sudo_user") not in (None, "", "root"):
            return arguments
        return {name: value for name, value in arguments.items() if not name.startswith(("_sudo", "_use_sudo"))}


class ThisHost:
    """There is nothing to open: every command is a process of its own."""

    is_open = True
    why_closed = "the run has ended"

    def channel(self) -> Process:
        return Process()

    def begin(self, channel: Process, words: str) -> None:
        channel.begin(words)

    def close(self) -> None:
        self.is_open = False


class Process:
    """One command. It outlives us as one begun over SSH does: its own limit ends it."""

    closed = False

    def __init__(self) -> None:
        self._stderr = PIPE
        self._process: Any = None
        self._files: list[_Heard] = []

    def get_pty(self) -> None:
        """Nothing of ours needs a terminal."""

    def set_combine_stderr(self, combine: bool) -> None:
        self._stderr = STDOUT if combine else PIPE

    def begin(self, words: str) -> None:
        """Raises OSError where the host has no room for another process."""
        self._process = Popen(
            ["/bin/sh", "-c", words], stdin=PIPE, stdout=PIPE, stderr=self._stderr, env=_environment(),
            cwd="/", umask=UMASK, start_new_session=True,
        )  # fmt: skip

    def makefile(self, mode: str) -> _Heard:
        return self._heard(self._process.stdout)

    def makefile_stderr(self, mode: str) -> _Heard:
        return self._heard(self._process.stderr)

    def _heard(self, file: Any) -> _Heard:
        self._files.append(_Heard(file))
        return self._files[-1]

    @property
    def in_window_sofar(self) -> int:
        """Grows with everything that is heard."""
        return sum(each.count for each in self._files)

    def send(self, content: bytes) -> int:
        self.sendall(content)
        return len(content)

    def sendall(self, content: bytes) -> None:
        """Raises OSError where it takes no more."""
        try:
            self._process.stdin.write(content)
            self._process.stdin.flush()
        except ValueError as error:  # a file that was closed
            raise OSError(str(error)) from error

    def shutdown_write(self) -> None:
        self._process.stdin.close()

    def recv_exit_status(self) -> int:
        """As a shell has it: 128 and the signal's number for one that a signal has ended."""
        code = int(self._process.wait())
        return 128 - code if code < 0 else code

    def close(self) -> None:
        """It is listened to no longer."""
        self.closed = True
        process = self._process
        for file in (process.stdin, process.stdout, process.stderr) if process is not None else ():
            with suppress(OSError, RuntimeError, AttributeError):  # whoever still reads it is told by its end
                file.close()


class _Heard:
    """A process's output, counted."""

    def __init__(self, file: Any) -> None:
        self._file, self.count = file, 0

    def readline(self, limit: int = -1) -> bytes:
        try:
            line: bytes = self._file.readline(limit)
        except (OSError, ValueError):  # closed meanwhile: nobody listens any more
            return b""
        self.count += len(line)
        return line


def _environment() -> dict[str, str]:
    """That of a log-in: ours holds where keys and the checkout lie, which are no command's business."""
    me = pwd.getpwuid(os.geteuid())
    return {"PATH": PATH, "HOME": me.pw_dir, "USER": me.pw_name, "LOGNAME": me.pw_name, "SHELL": "/bin/sh"}
