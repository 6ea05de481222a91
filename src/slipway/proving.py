"""Proof from outside: what a client of the application sees through an edge. Bounded in count and time."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

REQUEST_SECONDS = 10
JOB_SECONDS = 30
"""A job is done in under a second; half a minute lets a worker that just started connect first."""


class NotProven(Exception):
    """Something that was promised did not happen: through which edge, what, and what came instead."""


@dataclass(frozen=True)
class Edge:
    """One way into the application."""

    name: str
    address: str
    host_header: str

    def get(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """The JSON answer to a GET, or to a POST where there is a body. Raises NotProven for anything else."""
        headers = {"Host": self.host_header, "Content-Type": "application/json"}
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(f"http://{self.address}{path}", data, headers)
        try:
            with urllib.request.urlopen(request, timeout=REQUEST_SECONDS) as answer:  # noqa: S310 - always http
                held: dict[str, Any] = json.load(answer)
                return held
        except urllib.error.HTTPError as error:
            raise NotProven(f"{self.name}: {path} answered {error.code}: {error.read(200)!r}") from error
        except (OSError, ValueError) as error:
            raise NotProven(f"{self.name}: {path}: {error}") from error


def prove_demo(edge: Edge, release: str, say: Callable[[str], None]) -> None:
    """The demo application does through this edge all that it is for. Raises NotProven."""
    _prove_release(edge, release, say)
    _prove_job(edge, say)
    _prove_websocket(edge, say)


def _prove_release(edge: Edge, release: str, say: Callable[[str], None]) -> None:
    served = {edge.get("/version")["release"] for _ in range(6)}
    if served != {release}:
        raise NotProven(f"{edge.name}: releases {sorted(served)} answer, {release} was deployed")
    say(f"{edge.name}: release {release} answers")


def _prove_job(edge: Edge, say: Callable[[str], None]) -> None:
    job = edge.get("/api/jobs", {"kind": "sum", "payload": {"numbers": [20, 22]}})
    deadline = time.monotonic() + JOB_SECONDS
    while job["state"] not in ("done", "failed"):
        if time.monotonic() > deadline:
            raise NotProven(f"{edge.name}: job {job['id']} is still {job['state']} after {JOB_SECONDS} s")
        time.sleep(0.2)  # polling, as a client does; bounded by the deadline
        job = edge.get(f"/api/jobs/{job['id']}")
    if job["state"] != "done":
        raise NotProven(f"{edge.name}: job {job['id']} failed: {job.get('result')}")
    say(f"{edge.name}: job {job['id']} was done by {job.get('worker')}: {job.get('result')}")


def _prove_websocket(edge: Edge, say: Callable[[str], None]) -> None:
    import websocket

    word = "ahoy"
    try:
        socket = websocket.create_connection(
            f"ws://{edge.address}/ws?events=0", timeout=REQUEST_SECONDS, host=edge.host_header, enable_multithread=False
        )
        try:
            socket.send(word)
            _wait_for_echo(socket, word, edge)
        finally:
            socket.close()
    except (OSError, websocket.WebSocketException) as error:
        raise NotProven(f"{edge.name}: WebSocket: {error}") from error
    say(f"{edge.name}: WebSocket echoes")


def _wait_for_echo(socket: Any, word: str, edge: Edge) -> None:
    deadline = time.monotonic() + REQUEST_SECONDS
    while time.monotonic() < deadline:
        # Events of the application come in between; the echo is among them.
        if word in str(socket.recv()):
            return
    raise NotProven(f"{edge.name}: WebSocket: no echo within {REQUEST_SECONDS} s")
