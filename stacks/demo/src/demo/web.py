"""What the HTTP services have in common: /health, /ready, /version, /metrics, and the record of every request."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from . import fleet, heartbeat, metrics, readiness
from .config import Settings
from .database import read_schema
from .parts import Parts, opened

log = logging.getLogger("demo.request")
QUIET_ROUTES = frozenset({"health", "ready", "exposition"})
"""Asked every few seconds by machines: logged only when something is wrong, or at debug level."""


def application(
    settings: Settings,
    routes: list[BaseRoute],
    checks: list[readiness.Check],
    background: Callable | None = None,
    exposition: Callable = metrics.exposition,
) -> Starlette:
    """A service with these routes, ready when these checks pass. `background(parts)` runs beside it."""

    async def ready(request: Request) -> JSONResponse:
        wrong = await readiness.complaints(parts_of(request), checks)
        return JSONResponse({"ready": not wrong, "reasons": wrong}, 503 if wrong else 200)

    metrics.describe(settings)
    common = [Route("/health", health), Route("/version", version), Route("/metrics", exposition)]
    return Starlette(
        routes=[*common, Route("/ready", ready), *routes],
        middleware=[Middleware(Recorded, settings=settings)],
        lifespan=_lifespan(settings, background),
        exception_handlers={SQLAlchemyError: _unavailable, RedisError: _unavailable},
    )


def parts_of(request: Any) -> Parts:
    """The connections of the service that answers this request or WebSocket."""
    return request.app.state.parts


async def health(request: Request) -> JSONResponse:
    """The process is alive; says nothing of what it depends on, so that a database's outage restarts no one."""
    return JSONResponse({"status": "alive"})


async def version(request: Request) -> JSONResponse:
    """Which release answers, where, and which schema revision the database has (null: cannot be asked)."""
    parts = parts_of(request)
    schema = None
    with suppress(SQLAlchemyError, OSError, TimeoutError):
        async with asyncio.timeout(readiness.CHECK_SECONDS):
            schema = (await read_schema(parts.engine)).revision
    about = parts.settings
    return JSONResponse(
        {
            "service": about.service,
            "release": about.release,
            "host": about.host,
            "replica": about.replica,
            "schema": schema,
        }
    )


def _lifespan(settings: Settings, background: Callable | None) -> Callable:
    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with opened(settings) as parts:
            app.state.parts = parts
            tasks = [heartbeat.beat(), fleet.stay_known(parts.redis, settings)]
            running = [asyncio.create_task(task) for task in [*tasks, *([background(parts)] if background else [])]]
            yield
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    return lifespan


async def _unavailable(request: Request, error: Exception) -> JSONResponse:
    log.error("a data service failed", extra={"path": request.url.path, "reason": str(error).splitlines()[0][:200]})
    return JSONResponse({"error": "a data service is away, try again"}, 503, {"Retry-After": "2"})


class Recorded:
    """Every HTTP request is counted, timed, logged and given an id; every answer says who gave it."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._answered_by = {"x-release": settings.release, "x-served-by": f"{settings.host}/{settings.replica}"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = Headers(scope=scope).get("x-request-id") or secrets.token_hex(8)
        status = 500
        started = time.perf_counter()

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message).update({**self._answered_by, "x-request-id": request_id})
            await send(message)

        with metrics.IN_FLIGHT.track_inprogress():
            try:
                await self._app(scope, receive, answer)
            finally:
                _record(scope, status, time.perf_counter() - started, request_id)


def _record(scope: Scope, status: int, seconds: float, request_id: str) -> None:
    route = getattr(scope.get("endpoint"), "__name__", "unknown")
    metrics.REQUESTS.labels(scope["method"], route, status).inc()
    metrics.DURATION.labels(route).observe(seconds)
    level = logging.DEBUG if route in QUIET_ROUTES and status < 400 else logging.INFO
    fields = {
        "method": scope["method"],
        "path": scope["path"],
        "status": status,
        "duration_ms": round(seconds * 1000, 1),
        "request_id": request_id,
    }
    log.log(level, f"{scope['method']} {scope['path']} {status}", extra=fields)
