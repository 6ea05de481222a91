"""The WebSocket service: echoes what it is sent and passes on what happens in the application."""

from __future__ import annotations

import asyncio
import json

from starlette.routing import WebSocketRoute
from starlette.types import ASGIApp
from starlette.websockets import WebSocket, WebSocketDisconnect

from . import events, readiness
from .config import Settings
from .hub import Hub, put
from .metrics import MESSAGES
from .parts import Parts
from .server import serve
from .web import application, parts_of

PORT = 8001
TRY_AGAIN_LATER = 1013


def build(settings: Settings, hub: Hub) -> ASGIApp:
    """The service as an ASGI application."""

    async def socket(websocket: WebSocket) -> None:
        if hub.is_draining:
            await websocket.close(TRY_AGAIN_LATER)
            return
        await websocket.accept()
        with hub.joined(wants_events=websocket.query_params.get("events") != "0") as outbox:
            await _converse(websocket, outbox)

    async def relay(parts: Parts) -> None:
        await hub.relay(events.listen(parts.redis))

    return application(settings, [WebSocketRoute("/ws", socket)], [readiness.redis], background=relay)


async def _converse(websocket: WebSocket, outbox: asyncio.Queue[str]) -> None:
    """Until the client goes: text comes back as it was, events come as JSON objects (?events=0 for none)."""
    if websocket.query_params.get("events") != "0":
        put(outbox, _hello(parts_of(websocket).settings))
    sender = asyncio.create_task(_send(websocket, outbox))
    try:
        while True:
            put(outbox, await websocket.receive_text())
            MESSAGES.labels("received").inc()
    except (WebSocketDisconnect, KeyError):
        pass  # gone, or it sent bytes: either way the conversation is over
    finally:
        sender.cancel()
        await asyncio.gather(sender, return_exceptions=True)


async def _send(websocket: WebSocket, outbox: asyncio.Queue[str]) -> None:
    while True:
        await websocket.send_text(await outbox.get())
        MESSAGES.labels("sent").inc()


def _hello(settings: Settings) -> str:
    return json.dumps(
        {"type": "hello", "release": settings.release, "host": settings.host, "replica": settings.replica}
    )


def main(settings: Settings) -> None:
    """Serves until SIGTERM; then open sockets may go on for `drain_seconds` and are closed with 1012."""
    hub = Hub()
    serve(build(settings, hub), PORT, drain=lambda: hub.drain(settings.drain_seconds))
