"""WebSockets that are always open: each says a word now and then, wants it back, and comes again when told to go."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from tests.rollout.load.http1 import Broken
from tests.rollout.load.seen import SOCKET, Ended, Failure, Seen
from tests.rollout.load.wanted import Edge, Wanted

T = TypeVar("T")
COME_AGAIN = (1001, 1012)
"""Close codes (RFC 6455, section 7.4.1, and IANA's registry): going away, service restart. No other is expected."""
RETRY_SECONDS = 1
"""After a failure: one failure a second says enough of an edge that takes no WebSockets."""


class Socket:
    """One user with one WebSocket, through one edge."""

    def __init__(self, seen: Seen, wanted: Wanted, edge: Edge, phase: float) -> None:
        """`phase` (0 to 1) sets it apart from the others: they do not all speak at once."""
        self._seen, self._edge, self._url = seen, edge, f"ws://{wanted.host}/ws?events=0"
        self._every, self._patience = wanted.echo_seconds, wanted.answer_seconds
        self._first = phase * self._every
        self._is_leaving = False
        self._rest: asyncio.Timeout | None = None
        self.was_tried = asyncio.Event()
        """Set at the first attempt's end, good or bad."""

    async def stay(self) -> None:
        """Open until told to leave."""
        while not self._is_leaving:
            began = time.monotonic()
            try:
                await self._live_once()
            except (WebSocketException, OSError, TimeoutError, Broken) as error:
                what = str(error) if isinstance(error, Broken) else f"{type(error).__name__}: {error}"
                now = time.monotonic()
                self._seen.failures.append(Failure(now, SOCKET, self._edge.name, what, now - began))
                self.was_tried.set()
                await self._resting(asyncio.sleep(RETRY_SECONDS), RETRY_SECONDS)

    def leave(self) -> None:
        """It still waits for an echo that it was promised, and for nothing else."""
        self._is_leaving = True
        if self._rest and not self._rest.expired():
            self._rest.reschedule(0)

    async def _resting(self, happening: Coroutine[Any, Any, T], seconds: float) -> T | None:
        """What happens within that time, if it does: less where it is told to leave."""
        try:
            async with asyncio.timeout(0 if self._is_leaving else seconds) as self._rest:
                return await happening
        except TimeoutError:
            return None
        finally:
            self._rest = None

    async def _live_once(self) -> None:
        patience, where = self._patience, self._edge
        async with await connect(
            self._url, host=where.address, port=where.http_port, proxy=None, compression=None,
            open_timeout=patience, close_timeout=2,  # 2 s: for the answer to our own farewell, when the load ends
        ) as socket:  # fmt: skip
            self._seen.sockets.opened += 1
            self.was_tried.set()
            began = time.monotonic()
            try:
                await self._talk(socket)
            except ConnectionClosed as closed:
                self._note_end(closed, began)

    def _note_end(self, closed: ConnectionClosed, began: float) -> None:
        now = time.monotonic()
        code = closed.rcvd.code if closed.rcvd else 1006  # no word at all (RFC 6455, section 7.1.5)
        if code not in COME_AGAIN:
            raise Broken(f"ended with {code} after {now - began:.1f} s")
        self._seen.sockets.ended.append(Ended(now, self._edge.name, code, now - began))

    async def _talk(self, socket: ClientConnection) -> None:
        await self._listen(socket, self._first)
        for number in itertools.count():
            if self._is_leaving:
                return
            word = f"{id(self):x}-{number}"
            await socket.send(word)
            try:
                async with asyncio.timeout(self._patience):
                    answer = await socket.recv()
            except TimeoutError:
                raise Broken(f"said {word!r}, no echo within {self._patience:g} s") from None
            if answer != word:
                raise Broken(f"said {word!r}, was told {answer[:60]!r}")
            self._seen.sockets.echoes += 1
            await self._listen(socket, self._every)

    async def _listen(self, socket: ClientConnection, seconds: float) -> None:
        """Until the next word is due; an end is noticed when it comes."""
        if unasked := await self._resting(socket.recv(), seconds):
            raise Broken(f"said nothing, was told {unasked[:60]!r}")
