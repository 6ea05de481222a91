"""What load is wanted, on which edges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.rollout.load.seen import HTTP2, KEEP_ALIVE, NEW


@dataclass(frozen=True)
class Edge:
    """One way into the application."""

    name: str
    address: str
    http_port: int = 80
    https_port: int = 443


@dataclass(frozen=True)
class Wanted:
    """What load is put on which edges."""

    edges: tuple[Edge, ...]
    host: str
    """The name that the edges know the application by."""
    authority: str
    """Path of the certificate (PEM) that the edges' certificates are signed by."""
    rate: float = 100
    """Requests a second, over all edges; the slow ones and the WebSockets come on top."""
    shares: Mapping[str, float] = field(default_factory=lambda: {KEEP_ALIVE: 0.6, HTTP2: 0.2, NEW: 0.2})
    """Of the rate, by kind."""
    keep_alive: int = 50
    """HTTP/1.1 connections kept busy through each edge."""
    slow: int = 3
    """Slow requests always under way through each edge."""
    slow_seconds: float = 10
    sockets: int = 50
    """WebSockets always open, over all edges."""
    echo_seconds: float = 2
    """Between two words on a WebSocket."""
    answer_seconds: float = 20
    """What takes longer has failed. An edge holds a request for 10 s where every peer is drained."""
    longest_seconds: float = 900
    """It stops by itself then, whatever became of who started it."""
