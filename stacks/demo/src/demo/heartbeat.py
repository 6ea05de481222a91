"""Is a process alive? Its event loop touches a file; a health command looks at how old that is."""

from __future__ import annotations

import asyncio
import http.client
import os
import time
from pathlib import Path

FILE = Path(os.environ.get("DEMO_HEARTBEAT", "/tmp/demo.heartbeat"))
BEAT_SECONDS = 2
STALE_SECONDS = 15
"""Longer than any statement may take (10 s), shorter than three failed health checks."""
PORTS = {"api": 8000, "ws": 8001}


async def beat(file: Path = FILE) -> None:
    """Touches the file until cancelled."""
    while True:
        file.touch()
        await asyncio.sleep(BEAT_SECONDS)


def complaint(service: str | None, file: Path = FILE) -> str:
    """Why this service is not healthy; an empty text where it is."""
    try:
        age = time.time() - file.stat().st_mtime
    except FileNotFoundError:
        return "has not started up yet"
    if age > STALE_SECONDS:
        return f"last sign of life {age:.0f} s ago"
    return _http_complaint(PORTS[service]) if service in PORTS else ""


def _http_complaint(port: int) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=3)
    try:
        connection.request("GET", "/health")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"GET /health on port {port}: {error}"
    finally:
        connection.close()
    return "" if status == 200 else f"GET /health on port {port}: {status}"
