"""A long way, for lack of one: a proxy that lets every byte arrive later, and limits nothing else.

Each direction waits half of the round trip. A connection is opened a round trip after it was asked for, as TCP's own
handshake would have it. What is under way is kept here, however much it is: throughput is the machine's own.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

_CHUNK = 1 << 18
"""Bytes that are taken at once: large, so that a fast sender costs few wake-ups."""


@contextmanager
def delayed(addresses: Sequence[str], round_trip_ms: float, port: int = 22) -> Iterator[list[int]]:
    """A port of this machine's loopback for each address, in order, while the block runs."""
    words = [sys.executable, "-m", "slipway.bench.delay", str(round_trip_ms), str(port), *addresses]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    proxy = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        yield [int(word) for word in proxy.stdout.readline().split()]  # type: ignore[union-attr]  # it is a pipe
    finally:
        proxy.communicate()  # its input ends, and so does it


async def serve(addresses: Sequence[str], port: int, round_trip: float) -> list[asyncio.Server]:
    """Listens on a free port of 127.0.0.1 for each address. `round_trip` in seconds."""
    return [await _listen(address, port, round_trip) for address in addresses]


def port_of(server: asyncio.Server) -> int:
    return int(server.sockets[0].getsockname()[1])


async def _listen(address: str, port: int, round_trip: float) -> asyncio.Server:
    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(round_trip)
        try:
            there = await asyncio.open_connection(address, port)
        except OSError:
            writer.close()
            return
        for each in (writer, there[1]):
            each.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.gather(_carry(reader, there[1], round_trip / 2), _carry(there[0], writer, round_trip / 2))

    # A backlog for every host's connection at once.
    return await asyncio.start_server(accept, "127.0.0.1", 0, backlog=256)


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float) -> None:
    """Each piece `delay` seconds after it came, in order; the end, too."""
    loop = asyncio.get_running_loop()
    under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
    hand_out = asyncio.create_task(_hand_out(under_way, writer))
    data = b"-"
    while data:
        try:
            data = await reader.read(_CHUNK)
        except OSError:
            data = b""
        under_way.put_nowait((loop.time() + delay, data))
    await hand_out


async def _hand_out(under_way: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter) -> None:
    loop = asyncio.get_running_loop()
    with contextlib.suppress(OSError):  # the receiver has gone; its own end of the connection tells
        while True:
            due, data = await under_way.get()
            await asyncio.sleep(max(0.0, due - loop.time()))
            if not data:
                break
            writer.write(data)
    with contextlib.suppress(OSError):
        writer.close()


async def _main(round_trip_ms: float, port: int, addresses: Sequence[str]) -> None:
    servers = await serve(addresses, port, round_trip_ms / 1000)
    print(*(port_of(server) for server in servers), flush=True)  # noqa: T201 - how the starter learns the ports
    # Whoever has started it closes its input, or is gone.
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    os._exit(0)  # connections that still stand are not waited for


if __name__ == "__main__":
    asyncio.run(_main(float(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]))
