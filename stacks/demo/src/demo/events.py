"""What happens, told as it happens: JSON over Redis publish and subscribe. Nothing depends on its arrival."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

CHANNEL = "demo:events"
log = logging.getLogger(__name__)


async def tell(redis: Redis, event: str, /, **fields: Any) -> None:
    """Publishes an event; a Redis that is away is no reason for the teller to fail."""
    try:
        await redis.publish(CHANNEL, json.dumps({"type": event, **fields}, default=str))
    except RedisError as error:
        log.warning("event not told", extra={"event": event, "reason": str(error)})


async def listen(redis: Redis) -> AsyncIterator[str]:
    """Events as they come, for ever; subscribes again when Redis was away."""
    while True:
        try:
            async with redis.pubsub(ignore_subscribe_messages=True) as subscription:
                await subscription.subscribe(CHANNEL)
                while True:
                    message = await subscription.get_message(timeout=1)
                    if message:
                        yield message["data"]
        except RedisError as error:
            log.warning("events lost, subscribing again", extra={"reason": str(error)})
            await asyncio.sleep(1)  # Redis restarts within seconds; no need to hammer it
