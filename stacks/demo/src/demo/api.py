"""The HTTP API and the page."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any
from uuid import UUID

from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from . import events, fleet, kinds, metrics, readiness, scheduling, sessions
from .config import Settings
from .server import serve
from .web import application, parts_of

PORT = 8000
BODY_LIMIT = 64 * 1024
SLOW_LIMIT = 30
STATIC = Path(__file__).parent / "static"
PAGE_HEADERS = {
    "content-security-policy": "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'",
    "cache-control": "no-cache",
}


async def page(request: Request) -> Response:
    """The page that a person opens."""
    return FileResponse(STATIC / "index.html", headers=PAGE_HEADERS)


async def submit_job(request: Request) -> JSONResponse:
    """Records a job and queues it: 202 with its id. A queue that is away is caught up by the scheduler."""
    parts = parts_of(request)
    asked = await _body(request)
    kind, payload = (asked.get("kind"), asked.get("payload") or {}) if isinstance(asked, dict) else (None, None)
    try:
        kinds.check(kind, payload)
    except kinds.BadJob as error:
        raise HTTPException(400, str(error)) from error
    job_id = await parts.jobs.add(kind, payload)
    queued = await _queue(parts, job_id)
    await events.tell(parts.redis, "job", id=job_id, kind=kind, state="queued")
    return JSONResponse({"id": str(job_id), "state": "queued", "queued": queued}, 202)


async def get_job(request: Request) -> JSONResponse:
    """One job: its state, result, and which worker of which release ran it."""
    try:
        job_id = UUID(request.path_params["id"])
    except ValueError as error:
        raise HTTPException(400, "a job id is a UUID") from error
    job = await parts_of(request).jobs.get(job_id)
    if job is None:
        raise HTTPException(404, f"no job {job_id}")
    return JSONResponse(job)


async def list_jobs(request: Request) -> JSONResponse:
    """The newest jobs, how many there are in each state, and the depth of the queue."""
    parts = parts_of(request)
    limit = _number(request, "limit", 20, 1, 200)
    recent = await parts.jobs.recent(int(limit), ticks="ticks" in request.query_params)
    return JSONResponse({"jobs": recent, "counts": await parts.jobs.counts(), "queue": await _depth(parts)})


async def whoami(request: Request) -> JSONResponse:
    """Counts this browser's visits in its session, whichever replica it meets."""
    parts = parts_of(request)
    key = parts.settings.session_key
    name = sessions.name_in(request.cookies.get(sessions.COOKIE), key) or sessions.new_name()
    visits = await sessions.visit(parts.redis, name)
    answer = JSONResponse({"session": name[:6], "visits": visits, "replica": parts.settings.replica})
    answer.set_cookie(
        sessions.COOKIE,
        sessions.sign(name, key),
        max_age=sessions.LIFETIME_SECONDS,
        httponly=True,
        samesite="lax",
        secure=request.headers.get("x-forwarded-proto", request.url.scheme) == "https",
    )
    return answer


async def slow(request: Request) -> JSONResponse:
    """Takes as long as asked, 30 s at most: what a drain has to wait for."""
    seconds = _number(request, "seconds", 10, 0, SLOW_LIMIT)
    await asyncio.sleep(seconds)
    return JSONResponse({"slept": seconds, "release": parts_of(request).settings.release})


async def echo(request: Request) -> JSONResponse:
    """Gives back the JSON it was sent."""
    return JSONResponse({"echo": await _body(request)})


async def list_fleet(request: Request) -> JSONResponse:
    """Every process of the application heard of in the last seconds."""
    return JSONResponse({"members": await fleet.members(parts_of(request).redis)})


async def scheduler(request: Request) -> JSONResponse:
    """The scheduler's last ticks, its lease log, and leases that overlapped: there must be none."""
    return JSONResponse(await scheduling.story(parts_of(request).engine))


async def exposition(request: Request) -> Response:
    """GET /metrics, with the jobs and the queue as they stand now."""
    parts = parts_of(request)
    try:
        counts = await parts.jobs.counts()
        metrics.QUEUE.set(await parts.queue.depth())
    except (SQLAlchemyError, RedisError, OSError):
        counts = {}  # a data service that is away must not hide the process's own metrics
    for state, count in counts.items():
        metrics.JOBS.labels(state).set(count)
    return await metrics.exposition(request)


async def _body(request: Request) -> Any:
    chunks = bytearray()
    async for chunk in request.stream():
        chunks += chunk
        if len(chunks) > BODY_LIMIT:
            raise HTTPException(413, f"at most {BODY_LIMIT} bytes")
    try:
        return json.loads(bytes(chunks))
    except ValueError as error:
        raise HTTPException(400, "the body must be JSON") from error


def _number(request: Request, name: str, default: float, low: float, high: float) -> float:
    text = request.query_params.get(name, str(default))
    try:
        value = float(text)
    except ValueError as error:
        raise HTTPException(400, f"{name} must be a number, not {text!r}") from error
    if not low <= value <= high:
        raise HTTPException(400, f"{name} must be from {low:g} to {high:g}")
    return value


async def _queue(parts: Any, job_id: UUID) -> bool:
    try:
        await parts.queue.add(job_id)
    except RedisError:
        return False
    return True


async def _depth(parts: Any) -> int | None:
    try:
        return await parts.queue.depth()
    except RedisError:
        return None


async def _refused(request: Request, error: HTTPException) -> JSONResponse:
    return JSONResponse({"error": error.detail}, error.status_code)


def build(settings: Settings) -> ASGIApp:
    """The service as an ASGI application."""
    routes = [
        Route("/", page),
        Route("/api/jobs", submit_job, methods=["POST"]),
        Route("/api/jobs", list_jobs),
        Route("/api/jobs/{id}", get_job),
        Route("/api/whoami", whoami),
        Route("/api/slow", slow),
        Route("/api/echo", echo, methods=["POST"]),
        Route("/api/fleet", list_fleet),
        Route("/api/scheduler", scheduler),
        Mount("/static", StaticFiles(directory=STATIC)),
    ]
    app = application(settings, routes, [readiness.database, readiness.redis], exposition=exposition)
    app.add_exception_handler(HTTPException, _refused)
    return app


def main(settings: Settings) -> None:
    """Serves until SIGTERM."""
    serve(build(settings), PORT)
