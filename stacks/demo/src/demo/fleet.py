"""Who is there: every process says so in Redis, and is forgotten when it stops saying it."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from .config import Settings

KEY = "demo:fleet"
SAY_SECONDS = 3
FORGET_SECONDS = 10
"""Three times not heard of: gone."""
log = logging.getLogger(__name__)


def member(settings: Settings) -> str:
    """How a process is known; the same text for all its life."""
    about = {name: getattr(settings, name) for name in ("service", "host", "replica", "release")}
    return json.dumps(about | {"since": round(time.time())}, sort_keys=True)


async def stay_known(redis: Redis, settings: Settings) -> None:
    """Says «here» until cancelled, then that it has gone."""
    me = member(settings)
    try:
        while True:
            await _say(redis, me)
            await asyncio.sleep(SAY_SECONDS)
    finally:
        await _quietly(redis.zrem(KEY, me))


async def members(redis: Redis) -> list[dict[str, Any]]:
    """Every process heard of lately, by service, host and replica. Raises RedisError."""
    found = await redis.zrangebyscore(KEY, time.time() - FORGET_SECONDS, "+inf")
    known = [json.loads(text) for text in found]
    return sorted(known, key=lambda one: (one["service"], one["host"], one["replica"]))


async def _say(redis: Redis, me: str) -> None:
    now = time.time()
    await _quietly(redis.zadd(KEY, {me: now}))
    await _quietly(redis.zremrangebyscore(KEY, 0, now - 6 * FORGET_SECONDS))


async def _quietly(command: Any) -> None:
    try:
        await command
    except RedisError as error:
        log.debug("not told to the fleet", extra={"reason": str(error)})
