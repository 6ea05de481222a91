"""Can this process do its work? Each check says what is wrong, or nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from .database import read_schema
from .parts import Parts

CHECK_SECONDS = 4
"""A check that takes longer has failed; callers wait 5 s."""

Check = Callable[[Parts], Awaitable[str]]


async def database(parts: Parts) -> str:
    """Postgres answers and its schema is one that this code can run on."""
    try:
        schema = await read_schema(parts.engine)
    except (SQLAlchemyError, OSError) as error:
        return f"database: {_first_line(error)}"
    return "" if schema.is_usable else f"database: {schema.complaint}"


async def redis(parts: Parts) -> str:
    """Redis answers, and takes writes (a full or failing one refuses them)."""
    try:
        await parts.redis.set("demo:ready", "1", ex=60)
    except (RedisError, OSError) as error:
        return f"redis: {_first_line(error)}"
    return ""


async def complaints(parts: Parts, checks: list[Check]) -> list[str]:
    """What is wrong, all checks made side by side; empty where the process is ready."""
    found = await asyncio.gather(*(_in_time(check, parts) for check in checks))
    return [complaint for complaint in found if complaint]


async def _in_time(check: Check, parts: Parts) -> str:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            return await check(parts)
    except TimeoutError:
        return f"{check.__name__}: no answer in {CHECK_SECONDS} s"


def _first_line(error: Exception) -> str:
    """The reason without what SQLAlchemy and libpq add below it."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
