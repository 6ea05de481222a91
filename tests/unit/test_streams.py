"""What is written to a running command."""

from __future__ import annotations

import pytest
from paramiko.channel import Channel

from slipway.seam.streams import Stream


def channel() -> Channel:
    """A channel of paramiko's own, open as yet, without a connection under it."""
    found = Channel(1)
    found.remote_chanid, found.out_window_size = 1, 1000
    return found


def test_a_line_after_the_end_of_input_is_an_error() -> None:
    """A heartbeat that comes as the lock is given back: it neither waits for ever nor keeps the process from ending."""
    open_one = channel()
    open_one.eof_sent = True
    with pytest.raises(OSError, match="input has ended"):
        Stream(open_one).write("beat")


def test_a_line_to_a_closed_channel_is_an_error() -> None:
    """Nor is a command that has ended."""
    closed = channel()
    closed.closed = True
    with pytest.raises(OSError, match="closed"):
        Stream(closed).write("beat")
