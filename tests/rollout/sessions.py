"""Sessions as an edge tells them apart: which release each new one meets, and whether it stays with it."""

from __future__ import annotations

import http.client
import json
from collections.abc import Sequence
from dataclasses import dataclass
from http.cookies import SimpleCookie

from tests.rollout.load.wanted import Edge

ANSWER_SECONDS = 20
"""As for the load: an edge holds a request for 10 s where every peer is drained."""


@dataclass(frozen=True)
class Sessions:
    """For each session the releases that answered it, in order."""

    releases: Sequence[Sequence[str]]

    def share(self, release: str) -> float:
        """The part of the sessions (0 to 1) whose first answer was that release's."""
        return sum(met[0] == release for met in self.releases) / len(self.releases)

    @property
    def wavering(self) -> list[Sequence[str]]:
        """Sessions that more than one release answered."""
        return [met for met in self.releases if len(set(met)) > 1]


def sessions(edge: Edge, host: str, count: int, requests: int = 3, header: str = "") -> Sessions:
    """So many new sessions, one after the other, each with so many requests and whatever cookies the edge gave it.

    With `header` each session has a value of its own in that header and keeps no cookies. Raises AssertionError for an
    answer that is not 200.
    """
    return Sessions([_session(edge, host, requests, {header: f"user-{n}"} if header else None) for n in range(count)])


def _session(edge: Edge, host: str, requests: int, marked: dict[str, str] | None) -> list[str]:
    cookies: SimpleCookie = SimpleCookie()
    found = []
    for _ in range(requests):
        known = "; ".join(f"{name}={cookie.value}" for name, cookie in cookies.items())
        headers = {"Host": host, **({"Cookie": known} if known else {}), **(marked or {})}
        release, given = _ask(edge, headers)
        found.append(release)
        for line in given if marked is None else ():
            cookies.load(line)
    return found


def _ask(edge: Edge, headers: dict[str, str]) -> tuple[str, list[str]]:
    """The release that answered, and the cookies that came with it. A connection of its own, as a new visitor has."""
    connection = http.client.HTTPConnection(edge.address, edge.http_port, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", "/version", headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status == 200, f"{edge.name}: {answer.status}: {body[:200]!r}"
        return json.loads(body)["release"], answer.headers.get_all("Set-Cookie") or []
    finally:
        connection.close()
