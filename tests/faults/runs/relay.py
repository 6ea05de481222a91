"""A slow line on loopback: `python -m tests.faults.runs.relay HOST PORT SECONDS ADDRESS...`.

Listens on one port of every address and passes bytes on to HOST:PORT, each SECONDS late in either direction, as a long
line does: late, not narrow. Prints its port; when its standard input ends, how many connections there were, in all and
at most.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys


class Relay:
    """Counts what it carries."""

    def __init__(self, host: str, port: int, seconds: float) -> None:
        self._host, self._port, self._seconds = host, port, seconds
        self.accepted = self.open = self.most = 0

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until either side ends it."""
        self.accepted += 1
        self.open += 1
        self.most = max(self.most, self.open)
        try:
            there, back = await asyncio.open_connection(self._host, self._port)
            ways = [asyncio.create_task(self._one_way(reader, back)), asyncio.create_task(self._one_way(there, writer))]
            await asyncio.wait(ways)
        finally:
            self.open -= 1

    async def _one_way(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop, under_way = asyncio.get_running_loop(), asyncio.Queue[tuple[float, bytes]]()
        sender = asyncio.create_task(_deliver(under_way, writer))
        with contextlib.suppress(OSError):
            while block := await reader.read(1 << 16):
                under_way.put_nowait((loop.time() + self._seconds, block))
        under_way.put_nowait((loop.time() + self._seconds, b""))
        await sender


async def _deliver(under_way: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while True:
            due, block = await under_way.get()
            await asyncio.sleep(due - asyncio.get_running_loop().time())
            if not block:
                break
            writer.write(block)
            await writer.drain()
    writer.close()


async def main(host: str, port: int, seconds: float, addresses: list[str]) -> None:
    relay = Relay(host, port, seconds)
    first = await asyncio.start_server(relay.carry, addresses[0], 0, backlog=1000)
    port_of_all = first.sockets[0].getsockname()[1]
    servers = [first, *[await asyncio.start_server(relay.carry, each, port_of_all) for each in addresses[1:]]]
    print(port_of_all, flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    print(json.dumps({"accepted": relay.accepted, "most": relay.most}), flush=True)
    for server in servers:
        server.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4:]))
