"""Serving until SIGTERM, and then to the end of what was begun."""

from __future__ import annotations

import logging
import signal
import socket
import sys
from collections.abc import Awaitable, Callable

import uvicorn
from starlette.types import ASGIApp

log = logging.getLogger(__name__)

GRACE_SECONDS = 35
"""The longest request takes 30 s. The container's stop grace period is longer than this."""


class DrainingServer(uvicorn.Server):
    """On SIGTERM it accepts nothing more, lets `drain` finish, then closes what is left and ends."""

    def __init__(self, config: uvicorn.Config, drain: Callable[[], Awaitable[None]] | None) -> None:
        super().__init__(config)
        self._drain = drain

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        log.info("serving", extra={"port": self.config.port})

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        log.info("stopping", extra={"port": self.config.port})
        for server in self.servers:
            server.close()
        if self._drain:
            await self._drain()
        await super().shutdown(sockets)
        log.info("stopped")


def serve(app: ASGIApp, port: int, drain: Callable[[], Awaitable[None]] | None = None) -> None:
    """Serves on all addresses of the container; returns after SIGTERM when everything begun has ended."""
    config = uvicorn.Config(
        app,
        host="0.0.0.0",
        port=port,
        http="h11",  # the packaged httptools is older than uvicorn asks for
        ws="websockets",
        ws_max_size=64 * 1024,
        log_config=None,
        access_log=False,
        timeout_keep_alive=75,  # above nginx' 60 s: the edge is the one to close idle connections
        timeout_graceful_shutdown=GRACE_SECONDS,
        server_header=False,
    )
    # uvicorn raises the signal again once it has ended: that is success here.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    DrainingServer(config, drain).run()
