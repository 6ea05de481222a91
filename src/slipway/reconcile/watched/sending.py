"""Messages and heartbeats on their way: each in a process of its own, all at once, none longer than a stated time."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from slipway.reconcile.watched.notices import Notice
from slipway.secrets import Secret

ERRAND_SECONDS = 20
"""For all of them together: name, connection and answer of a slow chat take some seconds; a timer's run must end."""


@dataclass(frozen=True)
class Errand:
    """One thing to deliver."""

    place: str
    """The name of the secret that holds the address: what may be shown."""
    address: Secret
    notice: Notice | None
    """None for a heartbeat."""
    payload: Mapping[str, Any]
    """What a listener that is no chat gets, as JSON."""

    def packed(self) -> str:
        """As the courier reads it."""
        notice = self.notice
        kind = "info" if notice is None else _kind(notice)
        return json.dumps(
            {
                "url": self.address.reveal().strip(),
                "is_heartbeat": notice is None,
                "title": notice.title if notice else "",
                "body": notice.body if notice else "",
                "kind": kind,
                "payload": dict(self.payload),
            }
        )


def _kind(notice: Notice) -> str:
    """As chats colour it."""
    if notice.is_urgent:
        return "failure"
    return "warning" if notice.began or notice.lasts else "success"


def deliver(errands: Sequence[Errand]) -> dict[int, str]:
    """Number of each errand that failed, and why, never with an address. Takes ERRAND_SECONDS at most."""
    deadline = time.monotonic() + ERRAND_SECONDS
    under_way = [_started(errand) for errand in errands]
    answers = {number: _answer(courier, deadline) for number, courier in enumerate(under_way)}
    return {number: why for number, why in answers.items() if why}


def _started(errand: Errand) -> subprocess.Popen[str] | str:
    words = [sys.executable, "-m", "slipway.reconcile.watched.courier"]
    pipe = subprocess.PIPE
    try:
        courier = subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True)
    except OSError as error:
        return f"nothing could be sent from here ({error.strerror})"
    assert courier.stdin is not None  # noqa: S101 - a pipe, as asked for above
    try:
        courier.stdin.write(errand.packed())
        courier.stdin.close()
    except OSError:  # it ended before it read everything: its answer says why
        pass
    return courier


def _answer(courier: subprocess.Popen[str] | str, deadline: float) -> str:
    """Why it failed; empty where it was delivered."""
    if isinstance(courier, str):
        return courier
    courier.stdin = None  # written and closed: communicate must not do it again
    try:
        said, _ = courier.communicate(timeout=max(deadline - time.monotonic(), 0.1))
    except subprocess.TimeoutExpired:
        courier.kill()
        courier.communicate()
        return f"not done within {ERRAND_SECONDS} s"
    return "" if courier.returncode == 0 else said.strip() or "it ended without a word"
