"""HTTP/1.1 as the strictest of clients speaks it: nothing is sent twice, and what fails has failed.

Before each request on a connection that it kept the client looks at its socket; what the other side closed until then
it does not use. What it cannot see is a connection that is closed while the request is on its way.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import NamedTuple

_MOST_BYTES = 1 << 20
"""Answers are small; more is not one of ours."""


class Broken(Exception):
    """A request was not answered as it should be. Says what came instead."""


class Response(NamedTuple):
    """An answer, whatever it says."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def ends_connection(self) -> bool:
        return self.headers.get("connection", "").lower() == "close"


def request_text(method: str, path: str, host: str, body: bytes = b"", headers: str = "") -> bytes:
    """A whole request. `headers` are further lines, each with its line end."""
    length = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n" if body else ""
    return f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{length}{headers}\r\n".encode() + body


class Connection:
    """A connection to one address that is kept as long as the other side lets it, and made again then."""

    def __init__(self, address: str, port: int) -> None:
        self._where = (address, port)
        self._socket: socket.socket | None = None
        self.opened = 0

    async def ask(self, request: bytes) -> Response:
        """Sends the request once. Raises Broken, OSError."""
        used = await self._usable()
        try:
            response = await _exchange(used, request)
        except BaseException:
            self.close()
            raise
        if response.ends_connection:
            self.close()
        return response

    def close(self) -> None:
        if self._socket:
            self._socket.close()
        self._socket = None

    async def _usable(self) -> socket.socket:
        if self._socket is not None and _is_quiet(self._socket):
            return self._socket
        self.close()
        made = socket.socket()
        made.setblocking(False)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            await asyncio.get_running_loop().sock_connect(made, self._where)
        except BaseException:
            made.close()
            raise
        self._socket = made
        self.opened += 1
        return made


def _is_quiet(kept: socket.socket) -> bool:
    """Whether nothing came since the last answer: neither an end nor a word that nobody asked for."""
    with contextlib.suppress(OSError):
        try:
            kept.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
    return False


async def _exchange(used: socket.socket, request: bytes) -> Response:
    await asyncio.get_running_loop().sock_sendall(used, request)
    received = b""
    while b"\r\n\r\n" not in received:
        received += await _more(used, received)
    head, _, body = received.partition(b"\r\n\r\n")
    status, headers = _parsed(head)
    length = headers.get("content-length")
    if length is None:
        raise Broken(f"{status} without Content-Length")
    while len(body) < int(length):
        body += await _more(used, received + body)
    if len(body) > int(length):
        raise Broken(f"{status} with {len(body) - int(length)} bytes more than its Content-Length")
    return Response(status, headers, body)


async def _more(used: socket.socket, before: bytes) -> bytes:
    some = await asyncio.get_running_loop().sock_recv(used, 65536)
    if not some:
        raise Broken(f"closed in the middle of the answer, after {before[:60]!r}" if before else "closed, no answer")
    if len(before) > _MOST_BYTES:
        raise Broken(f"an answer of more than {_MOST_BYTES} bytes")
    return some


def _parsed(head: bytes) -> tuple[int, dict[str, str]]:
    first, *lines = head.decode("latin-1").split("\r\n")
    try:
        version, status = first.split()[:2]
        if version != "HTTP/1.1":
            raise ValueError(version)
        return int(status), {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    except ValueError:
        raise Broken(f"not an answer: {first[:60]!r}") from None
