"""A command that is started before it is known what it is to read, while something else is waited for."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import gevent

FRESH_SECONDS = 5
"""Its time limit counts from when it was started: one that has waited for longer is not made use of."""


class Ahead:
    """One command at most, waiting for its input on its channel."""

    def __init__(self, begin: Callable[[str], Any]) -> None:
        """
        + begin: starts these words on a channel, and returns that
        """
        self._begin = begin
        self._words, self._since = "", 0.0
        self._job: gevent.Greenlet | None = None

    def start(self, words: str) -> None:
        """Starts it. Whoever is going to run these words, to the letter, gets it."""
        self.drop()
        self._words, self._since = words, time.monotonic()
        self._job = gevent.spawn(self._begun, words)

    def _begun(self, words: str) -> Any:
        try:
            return self._begin(words)
        except Exception:  # whoever runs it finds out why for himself
            return None

    def taken(self, words: str) -> Any:
        """The channel of this command; None where it was not started, has ended, or is too old."""
        if self._job is None or self._words != words or time.monotonic() - self._since > FRESH_SECONDS:
            return None
        job, self._job = self._job, None
        channel = job.get()
        return None if channel is None or channel.closed else channel

    def drop(self) -> bool:
        """Ends what nobody has taken: it has nothing to read. Whether there was any."""
        job, self._job = self._job, None
        if job is not None:
            job.link_value(lambda ended: ended.value is None or ended.value.close())
        return job is not None
