"""Requests through the edges all along, and every answer kept. Bounded in rate and time; loopback of the lab only."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

RATE = 10
"""Requests a second and edge: enough to meet every moment of a roll, little enough for two shared cores."""

LONGEST_SECONDS = 400
"""It stops by itself, whatever becomes of the test."""


@dataclass
class Seen:
    """What the clients saw."""

    answers: int = 0
    failures: list[str] = field(default_factory=list)
    releases: list[str] = field(default_factory=list)
    """Each release, in the order in which it was first met."""


@contextmanager
def traffic(addresses: Sequence[str], host: str) -> Iterator[Seen]:
    """GET /version through each address, on connections that are kept alive, as long as the block runs."""
    seen, stop = Seen(), threading.Event()
    threads = [threading.Thread(target=_ask, args=(address, host, seen, stop)) for address in addresses]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        stop.set()
        for thread in threads:
            thread.join(timeout=30)


def _ask(address: str, host: str, seen: Seen, stop: threading.Event) -> None:
    connection = http.client.HTTPConnection(address, timeout=30)
    deadline = time.monotonic() + LONGEST_SECONDS
    while not stop.is_set() and time.monotonic() < deadline:
        try:
            connection.request("GET", "/version", headers={"Host": host})
            answer = connection.getresponse()
            body = answer.read().decode()
            _note(seen, answer.status, body)
        except (OSError, http.client.HTTPException) as error:
            seen.failures.append(f"{time.strftime('%T')} {address}: {type(error).__name__}: {error}")
            connection.close()
        stop.wait(1 / RATE)
    connection.close()


def _note(seen: Seen, status: int, body: str) -> None:
    if status != 200:
        seen.failures.append(f"{time.strftime('%T')} {status}: {body[:200]}")
        return
    seen.answers += 1
    release = body.partition('"release":"')[2].partition('"')[0]
    if release not in seen.releases:
        seen.releases.append(release)
