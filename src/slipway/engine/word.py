"""What people say to a rollout in progress, from another terminal: wait, go on, go back."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import gevent

from slipway.engine import journal
from slipway.engine.run import Run, Stage
from slipway.remote import Remote
from slipway.rollout import Step

POLL_SECONDS = 1
"""Between two looks at what is asked: a person waits for an answer."""


class Aborted(Exception):
    """Somebody has asked for the way back."""


class Word:
    """Asks the hosts of a rollout whether anybody wants it to wait or to go back."""

    def __init__(self, run: Run, stage: Stage, remotes: Sequence[Remote]) -> None:
        self._run, self._stage, self._remotes = run, stage, remotes

    def heed(self, host: str, look: Callable[[], None] = lambda: None) -> None:
        """Waits as long as somebody wants a pause. Raises Aborted, RemoteFailed."""
        began, paused = time.monotonic(), False
        while (asked := self._asked()) and asked.request == "pause":
            if not paused:
                self._say(host, f"paused by {asked.by}: slipway resume {self._run.fleet.inventory}, or abort")
                paused = True
            gevent.sleep(POLL_SECONDS)
            look()
        if paused:
            self._tell(host, began)
        if asked and asked.request == "abort":
            raise Aborted(f"aborted by {asked.by}")

    def wait(self, host: str, seconds: float | None, look: Callable[[], None]) -> None:
        """Waits so many seconds; without a number, for somebody's `resume`. Raises Aborted, RemoteFailed.

        `look` is called every now and then, and may raise what ends the waiting.
        """
        began = time.monotonic()
        if seconds is None:
            inventory = self._run.fleet.inventory
            journal.ask(self._remotes, "pause", f"the policy: the first host goes alone ({inventory})")
            self.heed(host, look)
            return
        while (left := began + seconds - time.monotonic()) > 0:
            gevent.sleep(min(left, POLL_SECONDS))
            self.heed(host)
            look()
        self._run.events.step(self._stage.name, host, Step("delay", "", began, time.monotonic() - began))

    def _asked(self) -> journal.Noted | None:
        noted = journal.read(self._remotes).values()
        asked = [each for each in noted if each.request]
        return next((each for each in asked if each.request == "abort"), asked[0] if asked else None)

    def _say(self, host: str, what: str) -> None:
        self._run.events.tell("note", stage=self._stage.name, host=host, what=what)

    def _tell(self, host: str, began: float) -> None:
        self._run.events.step(self._stage.name, host, Step("wait", "paused", began, time.monotonic() - began))
