"""A web server on this machine that keeps what it is sent: what stands for a chat, a webhook, a heartbeat's watcher."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

CANARY = "c4n4ry-of-an-address"
"""Part of its address, which is to be seen nowhere."""


@dataclass
class Listener:
    """What it was sent, and what it answers."""

    port: int
    requests: list[tuple[str, str, str]] = field(default_factory=list)
    """Method, path and body of each."""
    status: int = 200

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/{CANARY}"

    @property
    def bodies(self) -> list[Any]:
        """What was posted."""
        return [json.loads(body) for method, _, body in self.requests if method == "POST"]


@contextmanager
def listening() -> Iterator[Listener]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            listener.requests.append((self.command, self.path, body))
            self.send_response(listener.status)
            self.send_header("Location", f"http://127.0.0.1:{listener.port}/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_POST = do_GET

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listener = Listener(server.server_port)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield listener
    finally:
        server.shutdown()
        server.server_close()
