"""Small servers on loopback that do what the demo application's edges do, or just one thing wrong."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from typing import Any

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import DataReceived, RequestReceived, StreamEnded
from hyperframe.frame import GoAwayFrame
from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

RELEASE = "r1"
HEADERS = f"X-Release: {RELEASE}\r\n"


async def http1(behaviour: Callable[[Http1], Awaitable[None]]) -> int:
    """Serves HTTP/1.1 on a port of loopback, which it returns, for as long as the event loop runs."""

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        exchange = Http1(writer)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = head.lower().partition("content-length: ")[2].partition("\r")[0]
                exchange.number += 1
                exchange.path, exchange.body = head.split()[1], await reader.readexactly(int(length or 0))
                await behaviour(exchange)
        except (asyncio.IncompleteReadError, OSError):
            writer.close()

    server = await asyncio.start_server(converse, "127.0.0.1", 0)
    return _port_of(server)


class Http1:
    """One connection, at its latest request."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        self.path, self.body, self.number = "", b"", 0
        self.said_close = False

    @property
    def echo(self) -> bytes:
        return b'{"echo": ' + (self.body or b"null") + b"}"

    def answer(self, body: bytes | None = None, status: str = "200 OK", headers: str = "", length: int = 0) -> None:
        body = self.echo if body is None else body
        head = f"HTTP/1.1 {status}\r\n{HEADERS}{headers}Content-Length: {length or len(body)}\r\n\r\n"
        self.writer.write(head.encode() + body)

    def close(self) -> None:
        self.writer.close()

    def reset(self) -> None:
        # Lingering for no time makes close() a reset (socket(7)).
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


async def http2(behaviour: Callable[[Http2, int], None], tls: ssl.SSLContext) -> int:
    """Serves HTTP/2 over TLS on a port of loopback. `behaviour` is given every stream whose request has come."""
    loop = asyncio.get_running_loop()
    return _port_of(await loop.create_server(lambda: Http2(behaviour), "127.0.0.1", 0, ssl=tls))


class Http2(asyncio.Protocol):
    """One connection and what was asked on it."""

    def __init__(self, behaviour: Callable[[Http2, int], None]) -> None:
        self._behaviour = behaviour
        self._http2 = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        self._bodies: dict[int, bytes] = {}
        self.asked = 0
        """Streams so far."""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self._http2.initiate_connection()
        self._flush()

    def data_received(self, data: bytes) -> None:
        for event in self._http2.receive_data(data):
            if isinstance(event, RequestReceived):
                self._bodies[event.stream_id] = b""
            elif isinstance(event, DataReceived):
                self._bodies[event.stream_id] += event.data
            elif isinstance(event, StreamEnded):
                self.asked += 1
                self._behaviour(self, event.stream_id)
        self._flush()

    def answer(self, stream: int, status: str = "200") -> None:
        body = b'{"echo": ' + (self._bodies[stream] or b"null") + b"}"
        self._http2.send_headers(stream, [(":status", status), ("x-release", RELEASE)])
        self._http2.send_data(stream, body, end_stream=True)
        self._flush()

    def reset(self, stream: int, error: ErrorCodes) -> None:
        self._http2.reset_stream(stream, error)

    def go_away(self, last: int) -> None:
        """Not through h2, which would say nothing more afterwards."""
        self._flush()
        self.transport.write(GoAwayFrame(last_stream_id=last).serialize())

    def _flush(self) -> None:
        self.transport.write(self._http2.data_to_send())


async def websocket(behaviour: Callable[[ServerConnection], Awaitable[None]], refuses: bool = False) -> int:
    """Serves WebSockets on a port of loopback, or answers each handshake with 503."""

    def refuse(connection: ServerConnection, request: Request) -> Response | None:
        return Response(503, "Service Unavailable", Headers({"Content-Length": "0"})) if refuses else None

    return _port_of(await serve(behaviour, "127.0.0.1", 0, process_request=refuse))


def nobody() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port: int = bound.getsockname()[1]
        return port


def _port_of(server: Any) -> int:
    port: int = next(iter(server.sockets)).getsockname()[1]
    return port
