"""Strict clients: HTTP/1.1 keep-alive, POST, no retry. Each looks at its socket first; what fails then, has failed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field

_ANSWER_SECONDS = 20
"""Longer than any answer that the tests ask for; a request that hangs counts as failed then."""


@dataclass
class Load:
    """What became of the requests; filled when the load has ended."""

    answers: list[tuple[float, str]] = field(default_factory=list)
    """When the request was sent (`time.monotonic`) and the first line of the body, which names the peer."""
    failures: list[str] = field(default_factory=list)
    connections: int = 0

    @property
    def peers(self) -> Counter[str]:
        return Counter(peer for _, peer in self.answers)

    def sent_between(self, began: float, ended: float) -> set[str]:
        """The peers that answered requests sent in that time."""
        return {peer for sent, peer in self.answers if began < sent < ended}


@contextlib.contextmanager
def under_load(address: str, host: str, clients: int = 50, pause: float = 0.05) -> Iterator[Load]:
    """So many clients, each with one POST every `pause` seconds on a connection it keeps.

    In a process of its own: what a test does meanwhile must not slow it down.
    """
    words = [sys.executable, __file__, address, host, str(clients), str(pause)]
    load = Load()
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield load
        finally:
            told = json.loads(process.communicate("stop")[0])
            load.answers += [(sent, peer) for sent, peer in told["answers"]]
            load.failures += told["failures"]
            load.connections += told["connections"]


async def _run(address: str, host: str, clients: int, pause: float) -> Load:
    load, stop = Load(), asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin, stop.set)
    each = [_client(load, stop, address, host, pause, number / clients) for number in range(clients)]
    await asyncio.gather(*each)
    return load


async def _client(load: Load, stop: asyncio.Event, address: str, host: str, pause: float, offset: float) -> None:
    connection: socket.socket | None = None
    await asyncio.sleep(offset * pause)
    while not stop.is_set():
        try:
            connection = await _usable(load, connection, address)
            keeps = await asyncio.wait_for(_request(load, connection, host), _ANSWER_SECONDS)
        except (OSError, EOFError, TimeoutError) as error:
            load.failures.append(repr(error))
            keeps = False
        if connection and not keeps:
            connection.close()
            connection = None
        await asyncio.sleep(pause)
    if connection:
        connection.close()


async def _usable(load: Load, connection: socket.socket | None, address: str) -> socket.socket:
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
    await asyncio.get_running_loop().sock_connect(connection, (address, 80))
    load.connections += 1
    return connection


async def _request(load: Load, connection: socket.socket, host: str) -> bool:
    """Sends one POST and reads its answer. Whether the connection may be used again."""
    loop = asyncio.get_running_loop()
    sent = time.monotonic()
    head = f"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 5\r\n\r\nhello"
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
        load.answers.append((sent, body.decode().splitlines()[0]))
    else:
        load.failures.append(fields[0])
    return "connection: close" not in fields


async def _some(loop: asyncio.AbstractEventLoop, connection: socket.socket) -> bytes:
    some = await loop.sock_recv(connection, 65536)
    if not some:
        raise EOFError("closed in the middle of a request")
    return some


if __name__ == "__main__":
    _, _address, _host, _clients, _pause = sys.argv
    print(json.dumps(asdict(asyncio.run(_run(_address, _host, int(_clients), float(_pause))))))
