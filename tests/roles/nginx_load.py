"""Strict clients: HTTP/1.1 keep-alive, POST, no retry. Each looks at its socket first; what fails then, has failed."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

_ANSWER_SECONDS = 20
"""Longer than any answer that the tests ask for; a request that hangs counts as failed then."""


@dataclass
class Load:
    """What became of the requests so far."""

    answers: Counter[str] = field(default_factory=Counter)
    """First line of the body, which names the peer, to number of answers."""
    failures: list[str] = field(default_factory=list)
    connections: int = 0

    @property
    def requests(self) -> int:
        return self.answers.total() + len(self.failures)


@contextlib.contextmanager
def under_load(
    address: str, host: str, clients: int = 50, pause: float = 0.05, path: str = "/", port: int = 80
) -> Iterator[Load]:
    """So many clients in the background, each with one request every `pause` seconds on a connection it keeps."""
    load, stop = Load(), threading.Event()

    async def run() -> None:
        each = [_client(load, stop, address, port, host, path, pause, number / clients) for number in range(clients)]
        await asyncio.gather(*each)

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    try:
        yield load
    finally:
        stop.set()
        thread.join()


async def _client(
    load: Load, stop: threading.Event, address: str, port: int, host: str, path: str, pause: float, offset: float
) -> None:
    connection: socket.socket | None = None
    await asyncio.sleep(offset * pause)
    while not stop.is_set():
        try:
            connection = await _usable(load, connection, address, port)
            keeps = await asyncio.wait_for(_request(load, connection, host, path), _ANSWER_SECONDS)
        except (OSError, EOFError, TimeoutError) as error:
            load.failures.append(repr(error))
            keeps = False
        if connection and not keeps:
            connection.close()
            connection = None
        await asyncio.sleep(pause)
    if connection:
        connection.close()


async def _usable(load: Load, connection: socket.socket | None, address: str, port: int) -> socket.socket:
    """The connection, or a new one where the other side has closed it meanwhile."""
    if connection is not None:
        try:
            connection.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return connection
        except OSError:
            pass
        connection.close()
    connection = socket.socket()
    connection.setblocking(False)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    await asyncio.get_running_loop().sock_connect(connection, (address, port))
    load.connections += 1
    return connection


async def _request(load: Load, connection: socket.socket, host: str, path: str) -> bool:
    """Sends one POST and reads its answer. Whether the connection may be used again."""
    loop = asyncio.get_running_loop()
    head = f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 5\r\n\r\nhello"
    await loop.sock_sendall(connection, head.encode())
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += await _some(loop, connection)
    headers, _, body = answer.partition(b"\r\n\r\n")
    fields = headers.decode().lower().split("\r\n")
    length = next(int(line.split(":")[1]) for line in fields if line.startswith("content-length:"))
    while len(body) < length:
        body += await _some(loop, connection)
    if fields[0].split()[1] == "200":
        load.answers[body.decode().splitlines()[0]] += 1
    else:
        load.failures.append(fields[0])
    return "connection: close" not in fields


async def _some(loop: asyncio.AbstractEventLoop, connection: socket.socket) -> bytes:
    some = await loop.sock_recv(connection, 65536)
    if not some:
        raise EOFError("closed in the middle of a request")
    return some
