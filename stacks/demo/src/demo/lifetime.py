"""How a process without a listening port lives: until SIGTERM, saying that it is alive and that it is there."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from . import fleet, heartbeat
from .parts import Parts

RETRY_SECONDS = 1
"""Data services restart within seconds; their coming back should be noticed soon, not asked for in a busy loop."""
AWAY = (SQLAlchemyError, RedisError, OSError)
"""What a data service that is away raises."""
log = logging.getLogger(__name__)


def on(signals: dict[signal.Signals, Callable[[], object]]) -> None:
    """What to do at which signal."""
    loop = asyncio.get_running_loop()
    for number, action in signals.items():
        loop.add_signal_handler(number, action)


async def pause(stop: asyncio.Event, seconds: float) -> None:
    """Waits, or less where the process is told to stop."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()


async def insist(stop: asyncio.Event, attempt: Callable[[], Awaitable[object]]) -> None:
    """Tries until it succeeds once or the process is told to stop: the first contact with the data services."""
    while not stop.is_set():
        try:
            await attempt()
        except AWAY as error:
            log.warning("waiting for data services", extra={"reason": str(error).splitlines()[0][:200]})
            await pause(stop, RETRY_SECONDS)
        else:
            return


@asynccontextmanager
async def alive(parts: Parts) -> AsyncIterator[None]:
    """Heartbeat and fleet entry for as long as the block runs."""
    tasks = [asyncio.create_task(heartbeat.beat()), asyncio.create_task(fleet.stay_known(parts.redis, parts.settings))]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
