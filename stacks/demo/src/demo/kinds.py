"""The kinds of job there are: what payload each takes, and what it does."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import Any

SLEEP_LIMIT = 30
"""Seconds: a worker's stop grace period is longer, so a running job is always finished."""


class BadJob(Exception):
    """The kind is unknown or its payload is wrong; the message says which and how."""


class JobFailed(Exception):
    """The job ran and failed; the message is kept as its error."""


def check(kind: Any, payload: Any) -> None:
    """Raises BadJob unless a job of this kind can take this payload."""
    if not isinstance(kind, str) or kind not in KINDS:
        raise BadJob(f"unknown kind {kind!r}; known: {', '.join(KINDS)}")
    if not isinstance(payload, dict):
        raise BadJob("payload must be an object")
    if kind == "sum" and not _are_numbers(payload.get("numbers")):
        raise BadJob("sum takes {'numbers': [number, ...]}, at most 1000 of them")
    if kind == "sleep" and not _is_duration(payload.get("seconds")):
        raise BadJob(f"sleep takes {{'seconds': 0 to {SLEEP_LIMIT}}}")


async def run(kind: str, payload: dict[str, Any]) -> dict[str, Any]:
    """Does the job and returns its result. Raises JobFailed or BadJob."""
    check(kind, payload)
    return await KINDS[kind](payload)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _are_numbers(value: Any) -> bool:
    return isinstance(value, list) and len(value) <= 1000 and all(_is_number(item) for item in value)


def _is_duration(value: Any) -> bool:
    return _is_number(value) and 0 <= value <= SLEEP_LIMIT


async def _sum(payload: dict[str, Any]) -> dict[str, Any]:
    return {"sum": sum(payload["numbers"])}


async def _sleep(payload: dict[str, Any]) -> dict[str, Any]:
    await asyncio.sleep(payload["seconds"])
    return {"slept": payload["seconds"]}


async def _fail(payload: dict[str, Any]) -> dict[str, Any]:
    raise JobFailed(str(payload.get("reason", "asked to fail"))[:200])


async def _tick(payload: dict[str, Any]) -> dict[str, Any]:
    return {"tick": payload.get("tick")}


KINDS: dict[str, Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]] = {
    "sum": _sum,
    "sleep": _sleep,
    "fail": _fail,
    "tick": _tick,
}
