"""The clients of all kinds, at a steady pace over all edges, in one event loop."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from tests.rollout.load.http1 import Broken, Connection, Response, request_text
from tests.rollout.load.http2 import Client, trusting
from tests.rollout.load.seen import HTTP2, KEEP_ALIVE, NEW, SLOW, Answer, Failure, Seen
from tests.rollout.load.wanted import Edge, Wanted
from tests.rollout.load.websocket import Socket

MOST_AT_ONCE = 100
"""Requests of all quick kinds under way through one edge: an edge that hangs must not fill this machine."""
ECHO, VERSION, LINGER = "/api/echo", "/version", "/api/slow?seconds=1"
Ask = Callable[[], Awaitable[Response]]


async def run(wanted: Wanted, stop: asyncio.Event, ready: Callable[[], None] = lambda: None) -> Seen:
    """Loads until `stop`; calls `ready` once every WebSocket has been tried.

    What is under way at the end may finish, but for the slow requests, which are given up.
    """
    seen = Seen(began=time.monotonic())
    _stop_by_itself(seen, stop, wanted.longest_seconds)
    trust = trusting(wanted.authority)
    edges = [_EdgeClients(seen, wanted, edge, trust) for edge in wanted.edges]
    for number, clients in enumerate(edges):
        clients.start(phase=number / len(edges))
    for clients in edges:
        await clients.tried_sockets(stop)
    ready()
    await stop.wait()
    seen.ended = time.monotonic()
    await asyncio.gather(*(clients.finish() for clients in edges))
    seen.cpu_seconds = time.process_time()
    return seen


def _stop_by_itself(seen: Seen, stop: asyncio.Event, seconds: float) -> None:
    def cut_short() -> None:
        seen.is_cut_short = not stop.is_set()
        stop.set()

    asyncio.get_running_loop().call_later(seconds, cut_short)


class _EdgeClients:
    """All clients of one edge."""

    def __init__(self, seen: Seen, wanted: Wanted, edge: Edge, trust: ssl.SSLContext) -> None:
        self._seen, self._wanted, self._edge = seen, wanted, edge
        self._http2 = Client(edge.address, edge.https_port, wanted.host, trust)
        self._kept = [Connection(edge.address, edge.http_port) for _ in range(wanted.keep_alive)]
        self._idle = deque(self._kept)
        count = wanted.sockets // len(wanted.edges)
        self._sockets = [Socket(seen, wanted, edge, phase=number / count) for number in range(count)]
        self._quick: set[asyncio.Task[None]] = set()
        self._lasting: set[asyncio.Task[None]] = set()
        self._staying: set[asyncio.Task[None]] = set()
        self._turn = 0

    def start(self, phase: float) -> None:
        """`phase` (0 to 1) sets the edges apart: not all of them are asked at the same moments."""
        rate = self._wanted.rate / len(self._wanted.edges)
        begin = {KEEP_ALIVE: self._ask_kept, HTTP2: self._ask_http2, NEW: self._ask_new}
        for kind, share in self._wanted.shares.items():
            self._last(_pace(rate * share, phase, begin[kind]))
        for number in range(self._wanted.slow):
            self._last(self._ask_slowly(over_http2=number == 0, phase=number / self._wanted.slow))
        for socket in self._sockets:
            self._staying.add(asyncio.create_task(socket.stay()))

    async def tried_sockets(self, stop: asyncio.Event) -> None:
        """Returns once every WebSocket is open, or could not be opened, or the load is to stop."""
        for socket in self._sockets:
            await _either(socket.was_tried, stop)

    async def finish(self) -> None:
        """Raises what ended a client that should have lasted: a mistake here, not at the edge."""
        for task in self._lasting:
            task.cancel()
        for socket in self._sockets:
            socket.leave()
        # Each has its own limit, but for those cancelled.
        ends = await asyncio.gather(*self._quick, *self._staying, *self._lasting, return_exceptions=True)
        self._seen.connections += {
            HTTP2: self._http2.opened,
            KEEP_ALIVE: sum(connection.opened for connection in self._kept),
        }
        self._seen.retries += self._http2.retries
        self._http2.close()
        for connection in self._kept:
            connection.close()
        for end in ends:
            if isinstance(end, Exception):
                raise end

    def _last(self, life: Coroutine[Any, Any, None]) -> None:
        self._lasting.add(asyncio.create_task(life))

    # --- one request of each kind

    def _ask_kept(self) -> None:
        if not self._idle:
            self._seen.late[KEEP_ALIVE] += 1
            return
        connection = self._idle.popleft()  # the one that has waited longest: so all of them are kept busy
        body = _word()
        request = request_text("POST", ECHO, self._wanted.host, body)
        task = self._begin(KEEP_ALIVE, lambda: connection.ask(request), body)
        task.add_done_callback(lambda _: self._idle.append(connection))

    def _ask_http2(self) -> None:
        """Every other one takes its time: there are always several streams open on a connection."""
        if self._has_too_many(HTTP2):
            return
        self._turn += 1
        if self._turn % 2:
            body = _word()
            self._begin(HTTP2, lambda: self._http2.ask("POST", ECHO, body), body)
        else:
            self._begin(HTTP2, lambda: self._http2.ask("GET", LINGER))

    def _ask_new(self) -> None:
        if self._has_too_many(NEW):
            return
        self._seen.connections[NEW] += 1
        connection = Connection(self._edge.address, self._edge.http_port)
        request = request_text("GET", VERSION, self._wanted.host, headers="Connection: close\r\n")
        task = self._begin(NEW, lambda: connection.ask(request))
        task.add_done_callback(lambda _: connection.close())

    def _has_too_many(self, kind: str) -> bool:
        self._seen.late[kind] += (too_many := len(self._quick) >= MOST_AT_ONCE)
        return too_many

    async def _ask_slowly(self, over_http2: bool, phase: float) -> None:
        seconds = self._wanted.slow_seconds
        path = f"/api/slow?seconds={seconds:g}"
        connection = Connection(self._edge.address, self._edge.http_port)
        request = request_text("GET", path, self._wanted.host)
        await asyncio.sleep(phase * seconds)
        while True:
            asked = time.monotonic()
            ask = (lambda: self._http2.ask("GET", path)) if over_http2 else (lambda: connection.ask(request))
            await self._note(SLOW, ask, b"", seconds + self._wanted.answer_seconds)
            if time.monotonic() - asked < seconds / 2:
                await asyncio.sleep(1)  # it failed at once: one failure a second says enough

    def _begin(self, kind: str, ask: Ask, body: bytes = b"") -> asyncio.Task[None]:
        task = asyncio.create_task(self._note(kind, ask, body, self._wanted.answer_seconds))
        self._quick.add(task)
        task.add_done_callback(self._quick.discard)
        return task

    async def _note(self, kind: str, ask: Ask, body: bytes, limit: float) -> None:
        sent = time.monotonic()
        try:
            async with asyncio.timeout(limit):
                response = await ask()
            release = _checked(response, body)
        except Exception as error:  # whatever it was: no good answer came
            now = time.monotonic()
            self._seen.failures.append(Failure(now, kind, self._edge.name, _said(error, limit), now - sent))
        else:
            self._seen.answers.append(Answer(sent, kind, self._edge.name, release, time.monotonic() - sent))


def _word() -> bytes:
    """A body that no other request has: an answer that belongs to another client shows."""
    return json.dumps({"word": time.monotonic_ns()}).encode()


def _checked(response: Response, body: bytes) -> str:
    """The release that answered. Raises Broken for anything but a good answer to this very request."""
    if response.status != 200:
        raise Broken(f"{response.status}: {response.body[:200]!r}")
    try:
        told = json.loads(response.body)
    except ValueError:
        raise Broken(f"not JSON: {response.body[:200]!r}") from None
    if body and told.get("echo") != json.loads(body):
        raise Broken(f"sent {body!r}, came back as {response.body[:200]!r}")
    return response.headers.get("x-release", "")


def _said(error: Exception, limit: float) -> str:
    if isinstance(error, TimeoutError) and not error.errno:
        return f"no answer within {limit:g} s"
    return str(error) if isinstance(error, Broken) else f"{type(error).__name__}: {error}"


async def _pace(rate: float, phase: float, begin: Callable[[], None]) -> None:
    """Calls `begin` so many times a second, evenly; what a busy machine made late is made up for, up to a second."""
    loop, period = asyncio.get_running_loop(), 1 / rate
    due = loop.time() + phase * period
    while True:
        await asyncio.sleep(max(0, due - loop.time()))
        begin()
        due = max(due + period, loop.time() - 1)


async def _either(one: asyncio.Event, other: asyncio.Event) -> None:
    waits = [asyncio.create_task(event.wait()) for event in (one, other)]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
