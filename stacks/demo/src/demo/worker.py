"""The queue worker: one job at a time, none lost. SIGTERM: finish and go. SIGUSR1: take no more; SIGUSR2: go on."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redis.exceptions import RedisError

from . import events, kinds, lifetime, readiness
from .config import Settings
from .jobs import ATTEMPTS, Started
from .parts import Parts, opened
from .queue import KEEP_SECONDS, Entry

log = logging.getLogger(__name__)


class Worker:
    """Takes jobs until told to stop."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._stop = asyncio.Event()
        self._is_quiet = False

    async def run(self) -> None:
        """Works until SIGTERM; the current job is finished first."""
        lifetime.on({signal.SIGTERM: self._stop.set, signal.SIGINT: self._stop.set})
        lifetime.on({signal.SIGUSR1: lambda: self._quiet(True), signal.SIGUSR2: lambda: self._quiet(False)})
        await lifetime.insist(self._stop, self._first_contact)
        async with lifetime.alive(self._parts):
            log.info("working")
            while not self._stop.is_set():
                await self._turn()
        await self._leave()

    async def _first_contact(self) -> None:
        wrong = await readiness.complaints(self._parts, [readiness.database])
        if wrong:
            raise OSError(wrong[0])
        await self._parts.queue.prepare()

    def _quiet(self, is_quiet: bool) -> None:
        self._is_quiet = is_quiet
        log.info("taking no more jobs" if is_quiet else "taking jobs again")

    async def _turn(self) -> None:
        if self._is_quiet:
            await lifetime.pause(self._stop, 0.5)
            return
        try:
            entry = await self._parts.queue.take()
            if entry:
                await self._work(entry)
        except lifetime.AWAY as error:
            log.warning("a data service failed", extra={"reason": str(error).splitlines()[0][:200]})
            await lifetime.pause(self._stop, lifetime.RETRY_SECONDS)
            await self._prepare_again()

    async def _prepare_again(self) -> None:
        """An emptied Redis has lost the consumer group."""
        try:
            await self._parts.queue.prepare()
        except RedisError as error:
            log.debug("queue not prepared", extra={"reason": str(error)})

    async def _work(self, entry: Entry) -> None:
        """From taking the job to having written its end. What fails between leaves the job to a later delivery."""
        about = self._parts.settings
        job = await self._parts.jobs.start(entry.job_id, about.replica, about.host, about.release)
        if job:
            await self._tell(job, "running")
            async with self._kept(entry):
                result, error, seconds = await _outcome(job)
            if await self._parts.jobs.finish(job, result, error):
                await self._tell(job, "failed" if error else "done", result=result, error=error)
            fields = {"job": str(job.id), "kind": job.kind, "duration_ms": round(seconds * 1000), "error": error}
            log.info("job failed" if error else "job done", extra=fields)
        await self._parts.queue.done(entry)

    async def _tell(self, job: Started, state: str, **fields: object) -> None:
        about = self._parts.settings
        who = {"worker": about.replica, "host": about.host, "release": about.release}
        await events.tell(self._parts.redis, "job", id=job.id, kind=job.kind, state=state, **who, **fields)

    @asynccontextmanager
    async def _kept(self, entry: Entry) -> AsyncIterator[None]:
        """While the block runs the job counts as held, however long it takes."""
        keeper = asyncio.create_task(self._keep(entry))
        try:
            yield
        finally:
            keeper.cancel()
            await asyncio.gather(keeper, return_exceptions=True)

    async def _keep(self, entry: Entry) -> None:
        while True:
            await asyncio.sleep(KEEP_SECONDS)
            try:
                await self._parts.queue.keep(entry)
            except RedisError as error:
                log.warning("could not keep hold of the job", extra={"reason": str(error)})

    async def _leave(self) -> None:
        try:
            await self._parts.queue.leave()
        except RedisError as error:
            log.warning("could not leave the queue", extra={"reason": str(error)})
        log.info("stopped")


async def _outcome(job: Started) -> tuple[dict | None, str | None, float]:
    """Result or error, and how many seconds it took. Any failure of a job is the job's, not the worker's."""
    if job.attempt > ATTEMPTS:
        return None, f"given up: its worker died {ATTEMPTS} times", 0.0
    started = time.perf_counter()
    try:
        return await kinds.run(job.kind, job.payload), None, time.perf_counter() - started
    except (kinds.JobFailed, kinds.BadJob) as error:
        return None, str(error), time.perf_counter() - started
    except Exception as error:
        log.exception("job crashed", extra={"job": str(job.id)})
        return None, f"{type(error).__name__}: {error}", time.perf_counter() - started


async def work(settings: Settings) -> None:
    async with opened(settings) as parts:
        await Worker(parts).run()


def main(settings: Settings) -> None:
    """Works until SIGTERM."""
    asyncio.run(work(settings))
