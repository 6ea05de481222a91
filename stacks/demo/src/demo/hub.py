"""The open WebSockets of one process: what each is still to be sent, and their orderly end."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import contextmanager

from .metrics import MESSAGES, SOCKETS

BACKLOG = 100
"""Messages kept for a client that reads slowly; older events are dropped, never the newest."""
log = logging.getLogger(__name__)


class Hub:
    """Hands every event to every socket that wants events."""

    def __init__(self) -> None:
        self._outboxes: set[asyncio.Queue[str]] = set()
        self._listeners: set[asyncio.Queue[str]] = set()
        self.is_draining = False

    def __len__(self) -> int:
        return len(self._outboxes)

    @contextmanager
    def joined(self, wants_events: bool):
        """An outbox for one socket, for as long as it is open."""
        outbox: asyncio.Queue[str] = asyncio.Queue(BACKLOG)
        self._outboxes.add(outbox)
        if wants_events:
            self._listeners.add(outbox)
        SOCKETS.set(len(self))
        try:
            yield outbox
        finally:
            self._outboxes.discard(outbox)
            self._listeners.discard(outbox)
            SOCKETS.set(len(self))

    def tell(self, event: str) -> None:
        for outbox in self._listeners:
            put(outbox, event)

    async def relay(self, incoming: AsyncIterator[str]) -> None:
        """Passes events on for ever."""
        async for event in incoming:
            self.tell(event)

    async def drain(self, seconds: float) -> None:
        """Asks clients to go elsewhere and waits until they have, or until the time is over."""
        self.is_draining = True
        log.info("draining", extra={"sockets": len(self), "seconds": seconds})
        self.tell(json.dumps({"type": "draining", "seconds": seconds}))
        deadline = asyncio.get_running_loop().time() + seconds
        while self._outboxes and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.1)  # clients end one by one; nobody waits for this loop's precision
        log.info("drained", extra={"sockets_left": len(self)})


def put(outbox: asyncio.Queue[str], message: str) -> None:
    """Adds a message; a full outbox loses its oldest."""
    if outbox.full():
        outbox.get_nowait()
        MESSAGES.labels("dropped").inc()
    outbox.put_nowait(message)
