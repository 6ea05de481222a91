"""A connection whose host says nothing any more is ended: nobody waits for an answer out of a black hole."""

from __future__ import annotations

import contextlib
from typing import Any

import gevent

ASK_SECONDS = 5
UNANSWERED = 4
"""So many questions in a row without a word of any kind: a host that swaps, or a slow link under an upload, says
something within 20 s; a lock's lease is over by then."""

SILENCE_SECONDS = ASK_SECONDS * UNANSWERED


class Watchdog:
    """Asks the other side for a sign of life (as OpenSSH's ServerAliveInterval) and closes the connection without one.

    It counts questions, not seconds: a controller that was itself stopped for an hour has missed nothing.
    """

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self.gave_up = False
        """Whether the connection was closed because of silence."""
        gevent.spawn(self._watch)

    def _watch(self) -> None:
        asking, heard, unanswered = gevent.spawn(self._ask), -1, 0
        while self._transport.is_active():
            gevent.sleep(ASK_SECONDS)
            now = self._heard()
            unanswered = 0 if now != heard else unanswered + 1
            heard = now
            if unanswered >= UNANSWERED:
                self.gave_up = True
                self._transport.close()
            elif asking.dead:
                asking = gevent.spawn(self._ask)

    def _ask(self) -> None:
        # Whatever goes wrong here goes wrong for the command in hand too, which tells it.
        with contextlib.suppress(Exception):
            self._transport.global_request("keepalive@openssh.com", wait=True)

    def _heard(self) -> int:
        """A number that is another one after every packet that came. paramiko has no public one."""
        return int(self._transport.packetizer._Packetizer__sequence_number_in)
