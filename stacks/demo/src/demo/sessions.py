"""Sessions: a signed cookie holds the name, Redis holds what is known."""

from __future__ import annotations

import hashlib
import hmac
import secrets

from redis.asyncio import Redis

COOKIE = "demo_session"
LIFETIME_SECONDS = 24 * 3600


def sign(name: str, key: bytes) -> str:
    """The cookie's value for a session."""
    return f"{name}.{hmac.new(key, name.encode(), hashlib.sha256).hexdigest()}"


def name_in(cookie: str | None, key: bytes) -> str | None:
    """The session a cookie names; None where it is missing or was not signed with this key."""
    name, _, _ = (cookie or "").rpartition(".")
    return name if name and hmac.compare_digest(sign(name, key).encode(), (cookie or "").encode()) else None


def new_name() -> str:
    return secrets.token_urlsafe(18)


async def visit(redis: Redis, name: str) -> int:
    """Counts a visit and prolongs the session; which number it was. Raises RedisError."""
    key = f"demo:session:{name}"
    async with redis.pipeline(transaction=True) as pipeline:
        pipeline.hincrby(key, "visits", 1)
        pipeline.expire(key, LIFETIME_SECONDS)
        visits, _ = await pipeline.execute()
    return int(visits)
