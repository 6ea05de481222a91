"""The queue in Redis: a stream with one consumer group, so that what a dead worker held is taken over by another."""

from __future__ import annotations

import time
from dataclasses import dataclass
from uuid import UUID

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from .config import Settings

STREAM = "demo:jobs"
GROUP = "workers"
KEEP_SECONDS = 5
"""How often a working worker says that it still holds its job."""
TAKEOVER_SECONDS = 15
"""A job nobody has spoken for this long is another worker's: three missed `keep` calls."""


def connect(settings: Settings) -> Redis:
    """A client that reconnects by itself. Blocking reads wait 1 s at most, well under its time-out."""
    return Redis(
        host=settings.redis_host,
        port=settings.redis_port,
        password=settings.redis_password or None,
        decode_responses=True,
        socket_connect_timeout=2,
        socket_timeout=5,
        socket_keepalive=True,
        health_check_interval=15,
        client_name=f"demo-{settings.service}",
    )


@dataclass(frozen=True)
class Entry:
    """One delivery of a job to this worker."""

    id: str
    job_id: UUID


class Queue:
    """What is added is delivered until it is done with, at least once."""

    def __init__(self, redis: Redis, worker: str = "") -> None:
        self._redis = redis
        self._worker = worker
        self._next_takeover = 0.0

    async def add(self, job_id: UUID) -> None:
        await self._redis.xadd(STREAM, {"job": str(job_id)})

    async def depth(self) -> int:
        """Entries that are waiting or being worked on."""
        return await self._redis.xlen(STREAM)

    async def prepare(self) -> None:
        """Makes the consumer group where it is missing (a new or an emptied Redis)."""
        try:
            await self._redis.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
        except ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise

    async def take(self) -> Entry | None:
        """The next job: one that its worker has left behind, or a new one; None where 1 s brought none."""
        left_behind = await self._take_over()
        if left_behind:
            return left_behind
        answer = await self._redis.xreadgroup(GROUP, self._worker, {STREAM: ">"}, count=1, block=1000)
        return _first(answer[0][1]) if answer else None

    async def keep(self, entry: Entry) -> None:
        """Says that this worker still holds the job."""
        await self._redis.xclaim(STREAM, GROUP, self._worker, 0, [entry.id], justid=True)

    async def done(self, entry: Entry) -> None:
        """The job is over and written down: it is delivered no more."""
        async with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.xack(STREAM, GROUP, entry.id)
            pipeline.xdel(STREAM, entry.id)
            await pipeline.execute()

    async def leave(self) -> None:
        """Takes this worker off the group; only after its last job is done, for what it holds goes with it."""
        await self._redis.xgroup_delconsumer(STREAM, GROUP, self._worker)

    async def _take_over(self) -> Entry | None:
        if time.monotonic() < self._next_takeover:
            return None
        answer = await self._redis.xautoclaim(STREAM, GROUP, self._worker, TAKEOVER_SECONDS * 1000, count=1)
        entry = _first(answer[1])
        # Look again at once while there are some, else after a while.
        self._next_takeover = 0.0 if entry else time.monotonic() + KEEP_SECONDS
        return entry


def _first(entries: list) -> Entry | None:
    return next((Entry(entry_id, UUID(fields["job"])) for entry_id, fields in entries if fields), None)
