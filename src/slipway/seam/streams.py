"""What goes in and out of a running command on a host."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import gevent
from gevent.queue import Queue
from pyinfra.connectors.util import OutputLine


class Stream:
    """A running command on a host."""

    def __init__(self, channel: Any) -> None:
        self._channel = channel
        self._lines = channel.makefile("rb")

    def write(self, line: str) -> None:
        """Raises OSError where the command, its input or the connection has ended."""
        rest = f"{line}\n".encode()
        while rest:
            # Not `sendall`: it tries for ever where nothing more can be sent, and stops the whole process with it.
            sent = self._channel.send(rest)
            if not sent:
                raise OSError("its input has ended")
            rest = rest[sent:]

    def read_line(self, seconds: float | None = None) -> str | None:
        """The next line; None where it has ended. Raises TimeoutError after so many seconds without one."""
        with gevent.Timeout(seconds, TimeoutError(f"no answer within {seconds} s")):
            raw = self._lines.readline()
        return raw.decode("utf-8", errors="replace").rstrip("\n") if raw else None

    def finish(self) -> None:
        """No more lines are written to it: its input has ended."""
        with contextlib.suppress(OSError):
            self._channel.shutdown_write()

    def close(self) -> None:
        self._channel.close()


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


def write_all(channel: Any, stdin: Any) -> None:
    """Sends what goes to standard input, then its end."""
    # A command that ends without reading all of its input closes the channel: its exit status says what happened.
    with contextlib.suppress(OSError):
        for chunk in _chunks(stdin):
            channel.sendall(chunk)
        channel.shutdown_write()


MOST_BYTES = 128 << 20
"""What one command may say on one of its streams. A hundred releases on record come to less; a host that somebody has
taken over may go on for ever, and the controller's memory does not."""


def read_lines(stream: Any, name: str, lines: Queue[OutputLine], show: Callable[[str], None]) -> bool:
    """Puts every line that comes into the queue, as it comes. False where there was more than anybody may say."""
    left = MOST_BYTES
    while raw := stream.readline(left):
        left -= len(raw)
        if left <= 0:
            return False
        # A compromised or misconfigured host may send any bytes: they are text to us, never an exception.
        line = raw.decode("utf-8", errors="replace").rstrip("\n")
        lines.put(OutputLine(name, line))
        show(line)
    return True
