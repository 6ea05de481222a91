"""Prometheus metrics of one process."""

from __future__ import annotations

from prometheus_client import CONTENT_TYPE_LATEST, Counter, Gauge, Histogram, generate_latest
from starlette.requests import Request
from starlette.responses import Response

from .config import Settings

REQUESTS = Counter("demo_requests_total", "HTTP requests answered.", ["method", "route", "status"])
DURATION = Histogram(
    "demo_request_seconds",
    "Time from request to answer.",
    ["route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
IN_FLIGHT = Gauge("demo_requests_in_flight", "HTTP requests being answered.")
SOCKETS = Gauge("demo_websockets_open", "WebSockets that are open.")
MESSAGES = Counter("demo_websocket_messages_total", "WebSocket messages.", ["direction"])
JOBS = Gauge("demo_jobs", "Jobs recorded in the database.", ["state"])
QUEUE = Gauge("demo_queue_depth", "Jobs that wait or are being worked on.")
ABOUT = Gauge("demo_info", "Constant 1; the labels say what runs.", ["service", "release", "host", "replica"])


def describe(settings: Settings) -> None:
    """Says in the metrics what this process is."""
    ABOUT.labels(settings.service, settings.release, settings.host, settings.replica).set(1)


async def exposition(request: Request) -> Response:
    """GET /metrics."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
