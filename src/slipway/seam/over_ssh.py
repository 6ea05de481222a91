"""Commands to a host far away: channels of one SSH connection, the next one opened while a command is on its way.

Nobody waits for the host's word that a command has started. For what it reads there is no room before that: OpenSSH
grants a channel none until then, so that input costs a round trip unless the command was started ahead.
"""

from __future__ import annotations

from typing import Any

import gevent
from paramiko import ChannelException, Message, SSHException
from paramiko.common import cMSG_CHANNEL_REQUEST

from slipway.seam.jump import without_delay
from slipway.seam.watchdog import SILENCE_SECONDS, Watchdog

OPEN_SECONDS = 30
"""Time to open a channel on a connection that stands: a black hole is told after this."""

OPEN_TRIES, OPEN_PAUSE = 6, 0.2
"""A host that grants few channels (MaxSessions) counts one until it has tidied up after it, moments after its end."""


class OverSsh:
    """An SSH connection that has been made."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._ahead: gevent.Greenlet | None = None
        without_delay(self._transport)
        # Its questions also keep a stateful firewall from forgetting an idle connection.
        self._watchdog = Watchdog(self._transport)
        self._open_ahead()

    @property
    def _transport(self) -> Any:
        transport = self._client.get_transport()
        if transport is None or not transport.is_active():
            raise SSHException(self.why_closed)
        return transport

    @property
    def is_open(self) -> bool:
        transport = self._client.get_transport()
        return transport is not None and bool(transport.is_active())

    @property
    def why_closed(self) -> str:
        watchdog: Watchdog | None = getattr(self, "_watchdog", None)  # none yet where it ends as it begins
        if watchdog is not None and watchdog.gave_up:
            return f"the host has said nothing for {SILENCE_SECONDS} s, so the connection was given up"
        return "the connection has ended"

    def channel(self) -> Any:
        """The one that was opened ahead, where that has gone well."""
        ahead, self._ahead = self._ahead, None
        channel = ahead.get() if ahead is not None else None
        is_good = channel is not None and not channel.closed and self.is_open
        return channel if is_good else self._opened_now()

    def _opened_now(self) -> Any:
        for _ in range(OPEN_TRIES - 1):
            try:
                return self._transport.open_session(timeout=OPEN_SECONDS)
            except ChannelException:
                gevent.sleep(OPEN_PAUSE)
        return self._transport.open_session(timeout=OPEN_SECONDS)

    def begin(self, channel: Any, words: str) -> None:
        """As paramiko's `exec_command`, which waits a round trip for an answer that a refusal makes up for: paramiko
        closes the channel then. A host takes one message after the other, so what follows finds the command started."""
        if channel.closed:
            raise SSHException("the channel was closed before the command was sent")
        request = Message()
        request.add_byte(cMSG_CHANNEL_REQUEST)
        request.add_int(channel.remote_chanid)
        request.add_string("exec")
        request.add_boolean(True)
        request.add_string(words)
        self._transport._send_user_message(request)
        self._open_ahead()

    def _open_ahead(self) -> None:
        """Opens a channel for the next command while this one is on its way: half of what a command costs in round
        trips. A host that grants no more of them (MaxSessions) is asked again when it is needed."""
        if self._ahead is None:
            self._ahead = gevent.spawn(self._opened)

    def _opened(self) -> Any:
        try:
            return self._transport.open_session(timeout=OPEN_SECONDS)
        except Exception:  # whoever needs one finds out why for himself
            return None

    def close(self) -> None:
        self._client.close()
