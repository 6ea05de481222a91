"""What a process works with: its settings and its connections, opened and closed in one place."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncEngine

from . import database, queue
from .config import Settings
from .jobs import Jobs
from .queue import Queue


@dataclass(frozen=True)
class Parts:
    settings: Settings
    engine: AsyncEngine
    redis: Redis
    jobs: Jobs
    queue: Queue


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Parts]:
    """Connections are made when first used: a database that is away delays nothing here."""
    engine = database.connect(settings)
    redis = queue.connect(settings)
    try:
        yield Parts(settings, engine, redis, Jobs(engine), Queue(redis, settings.replica))
    finally:
        await redis.aclose()
        await engine.dispose()
