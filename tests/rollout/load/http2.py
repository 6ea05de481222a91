"""HTTP/2 over TLS, several streams on each connection, as RFC 9113 has it.

A stream that the other side says it has not begun on (GOAWAY with a lower last stream, REFUSED_STREAM) is sent again;
any other end of a stream without its answer is a failure.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import DataReceived, Event, ResponseReceived, StreamEnded, StreamReset
from h2.exceptions import ProtocolError

from tests.rollout.load.http1 import Broken, Response

CONNECTIONS = 2
"""To one edge, each with several streams."""
TRIES = 3
"""A stream refused so often is a failure: an edge that refuses is busy, not going away."""
_HEAD_BYTES, _GOAWAY = 9, 7
"""RFC 9113, sections 4.1 and 6.8."""


class Unprocessed(Exception):
    """The other side has not begun on this stream: it may be sent again."""


@dataclass
class _Stream:
    answered: asyncio.Future[Response]
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    def fail(self, error: Exception) -> None:
        if not self.answered.done():
            self.answered.set_exception(error)


class Channel(asyncio.Protocol):
    """One connection and its streams."""

    def __init__(self) -> None:
        self._http2 = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        self._streams: dict[int, _Stream] = {}
        self._rest = b""
        self._is_going = False
        self._transport: asyncio.Transport | None = None

    @property
    def is_usable(self) -> bool:
        """Whether new streams may be opened on it."""
        return self._transport is not None and not self._is_going

    def ask(self, headers: list[tuple[str, str]], body: bytes = b"") -> asyncio.Future[Response]:
        """Opens a stream. Its future holds the answer, or Broken, or Unprocessed."""
        number = self._http2.get_next_available_stream_id()
        stream = self._streams[number] = _Stream(asyncio.get_running_loop().create_future())
        self._http2.send_headers(number, headers, end_stream=not body)
        if body:
            self._http2.send_data(number, body, end_stream=True)
        self._flush()
        return stream.answered

    def close(self) -> None:
        if self._transport:
            self._transport.close()

    # --- asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # create_connection makes this kind
        self._http2.initiate_connection()
        self._flush()

    def data_received(self, data: bytes) -> None:
        self._rest += data
        try:
            for frame in self._frames():
                self._take(frame)
        except ProtocolError as error:
            self._end(f"protocol error: {error}")
            self.close()
        self._flush()

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        self._end(f"connection lost: {error!r}" if error else "connection closed before the answer")

    # --- how

    def _frames(self) -> Iterator[bytes]:
        while len(self._rest) >= _HEAD_BYTES:
            size = _HEAD_BYTES + int.from_bytes(self._rest[:3], "big")
            if len(self._rest) < size:
                return
            frame, self._rest = self._rest[:size], self._rest[size:]
            yield frame

    def _take(self, frame: bytes) -> None:
        # h2 takes no frame after a GOAWAY (its issue 1181), though open streams go on: so it is not told of one.
        if frame[3] == _GOAWAY:
            self._go_away(int.from_bytes(frame[9:13], "big") & 0x7FFFFFFF, int.from_bytes(frame[13:17], "big"))
            return
        for event in self._http2.receive_data(frame):
            self._note(event)

    def _go_away(self, last: int, code: int) -> None:
        self._is_going = True
        for number in [number for number in self._streams if number > last]:
            self._streams.pop(number).fail(Unprocessed())
        if code != ErrorCodes.NO_ERROR:
            self._end(f"GOAWAY with error {code}")
        self._leave()

    def _note(self, event: Event) -> None:
        stream = self._streams.get(getattr(event, "stream_id", None) or 0)
        if stream is None:
            return
        if isinstance(event, ResponseReceived):
            stream.headers = {str(name): str(value) for name, value in event.headers}
        elif isinstance(event, DataReceived):
            stream.body += event.data
            self._http2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, StreamEnded):
            self._finish(event.stream_id)
        elif isinstance(event, StreamReset):
            refused = event.error_code == ErrorCodes.REFUSED_STREAM
            self._streams.pop(event.stream_id).fail(
                Unprocessed() if refused else Broken(f"stream reset: {event.error_code!r}")
            )
            self._leave()

    def _finish(self, number: int) -> None:
        stream = self._streams.pop(number)
        if not stream.answered.done():
            stream.answered.set_result(Response(int(stream.headers[":status"]), stream.headers, stream.body))
        self._leave()

    def _leave(self) -> None:
        """Closes a connection that is going, once its last stream has ended."""
        if self._is_going and not self._streams:
            self.close()

    def _end(self, why: str) -> None:
        self._is_going = True
        for number in list(self._streams):
            self._streams.pop(number).fail(Broken(why))

    def _flush(self) -> None:
        if self._transport and (data := self._http2.data_to_send()):
            self._transport.write(data)


class Client:
    """Asks one edge, over its connections in turn; one that is going is replaced by a new one."""

    def __init__(self, address: str, port: int, host: str, trust: ssl.SSLContext) -> None:
        self._where, self._host, self._trust = (address, port), host, trust
        self._channels: list[Channel | None] = [None] * CONNECTIONS
        self._opening = [asyncio.Lock() for _ in self._channels]
        self._turn = 0
        self.opened = 0
        self.retries = 0

    async def ask(self, method: str, path: str, body: bytes = b"") -> Response:
        """One request; sent again only where the edge has not begun on it. Raises Broken, OSError."""
        headers = [(":method", method), (":authority", self._host), (":scheme", "https"), (":path", path)]
        headers += [("content-type", "application/json"), ("content-length", str(len(body)))] if body else []
        self._turn += 1
        for _ in range(TRIES):
            channel = await self._channel(self._turn % len(self._channels))
            try:
                return await channel.ask(headers, body)
            except Unprocessed:
                self.retries += 1
        raise Broken(f"not begun on, {TRIES} times")

    def close(self) -> None:
        for channel in self._channels:
            if channel:
                channel.close()

    async def _channel(self, place: int) -> Channel:
        async with self._opening[place]:
            channel = self._channels[place]
            if channel is None or not channel.is_usable:
                channel = self._channels[place] = await self._open()
            return channel

    async def _open(self) -> Channel:
        loop = asyncio.get_running_loop()
        transport, channel = await loop.create_connection(
            Channel, *self._where, ssl=self._trust, server_hostname=self._host
        )
        self.opened += 1
        if transport.get_extra_info("ssl_object").selected_alpn_protocol() != "h2":
            transport.abort()
            raise Broken("the edge does not speak HTTP/2")
        return channel


def trusting(authority: str) -> ssl.SSLContext:
    """TLS as a client has it that trusts this authority's certificates (PEM file) and no others."""
    context = ssl.create_default_context(cafile=authority)
    context.set_alpn_protocols(["h2"])
    return context
