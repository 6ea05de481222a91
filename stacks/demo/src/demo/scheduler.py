"""The scheduler: must run once in the whole fleet. A tick every 5 s, and a log of who was the scheduler when."""

from __future__ import annotations

import asyncio
import logging
import signal
import time

from . import events, lifetime, scheduling
from .config import Settings
from .parts import Parts, opened

TICK_SECONDS = 5
RENEW_SECONDS = 1
STRANDED_SECONDS = 10
"""A job this old that is neither over nor in an empty queue was lost by Redis."""
log = logging.getLogger(__name__)


class Scheduler:
    """Ticks until told to stop."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._stop = asyncio.Event()
        self._lease = 0

    async def run(self) -> None:
        """Runs until SIGTERM and writes down its end."""
        lifetime.on({signal.SIGTERM: self._stop.set, signal.SIGINT: self._stop.set})
        await lifetime.insist(self._stop, self._begin)
        if not self._lease:
            return  # stopped before the database was there
        async with lifetime.alive(self._parts):
            log.info("scheduling", extra={"lease": self._lease})
            await self._keep_time()
        await lifetime.insist(asyncio.Event(), self._end)
        log.info("stopped", extra={"lease": self._lease})

    async def _begin(self) -> None:
        self._lease = await scheduling.begin_lease(self._parts.engine, self._parts.settings)

    async def _end(self) -> None:
        await scheduling.renew_lease(self._parts.engine, self._lease, ended=True)

    async def _keep_time(self) -> None:
        due = time.monotonic()
        while not self._stop.is_set():
            try:
                await scheduling.renew_lease(self._parts.engine, self._lease)
                if time.monotonic() >= due:
                    due = time.monotonic() + TICK_SECONDS
                    await self._tick()
            except lifetime.AWAY as error:
                log.warning("a data service failed", extra={"reason": str(error).splitlines()[0][:200]})
            await lifetime.pause(self._stop, RENEW_SECONDS)

    async def _tick(self) -> None:
        number, job_id = await scheduling.tick(self._parts.engine, self._lease)
        about = self._parts.settings
        who = {"holder": about.replica, "host": about.host, "release": about.release}
        await events.tell(self._parts.redis, "tick", id=number, **who)
        await self._queue_stranded()
        await self._parts.queue.add(job_id)
        if number % 720 == 0:  # about once an hour
            await scheduling.forget_old(self._parts.engine)

    async def _queue_stranded(self) -> None:
        """An empty queue with jobs that are not over: Redis was away when they came, or has lost them."""
        if await self._parts.queue.depth() > 0:
            return
        for job_id in await self._parts.jobs.unfinished(STRANDED_SECONDS):
            log.warning("job queued again", extra={"job": str(job_id)})
            await self._parts.queue.add(job_id)


async def schedule(settings: Settings) -> None:
    async with opened(settings) as parts:
        await Scheduler(parts).run()


def main(settings: Settings) -> None:
    """Schedules until SIGTERM."""
    asyncio.run(schedule(settings))
