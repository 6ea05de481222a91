"""A controller that dies, or stands still, at a remote call: `python -m tests.faults.killed WHEN N HOW LOG COMMAND...`.

It is ./slipway itself, in a process of its own, whose remote calls are counted from 1. WHEN is `before` or `during`
(30 ms into the call). N is a call's number, or `change:N` of those that may change the host. HOW is `kill` or `stop`
(SIGSTOP: the test does something to the host meanwhile and sends SIGCONT). Each call leaves a line in the file LOG: its
number, whether it may change the host, and its whole words. With N = 0 nothing happens to it, and LOG says which calls
there are.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import slipway.cli.outcome  # noqa: F401 - first: it patches for gevent
from slipway.cli import main
from slipway.seam.connection import WORK, Connection

INTO_THE_CALL = "0.03"
"""Seconds: a command has reached the host by then and hardly any has ended."""

CALLS = ("_exchange", "open_stream")
"""Methods of a connection by which anything reaches a host."""


class Controller:
    """Counts remote calls and strikes at one of them."""

    def __init__(self, when: str, number: str, how: str, log: Path) -> None:
        kind, _, rest = number.rpartition(":")
        self._when, self._log, self._number, self._of_changes = when, log, int(rest), kind == "change"
        self._signal = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}[how]
        self._calls = self._changes = 0

    def about_to_call(self, name: str, words: str) -> None:
        """Called before each remote call."""
        changes = name != "_exchange" or f"--shared {WORK}" in words
        self._calls, self._changes = self._calls + 1, self._changes + changes
        told = {"number": self._calls, "changes": changes, "words": words}
        with self._log.open("a", encoding="utf-8") as file:
            file.write(f"{json.dumps(told)}\n")
        if self._number == (self._changes if self._of_changes else self._calls) and (changes or not self._of_changes):
            self._strike()

    def _strike(self) -> None:
        if self._when == "before":
            os.kill(os.getpid(), self._signal)
            return
        # A process of its own: neither gevent's loop nor a busy interpreter may delay it.
        text = f"sleep {INTO_THE_CALL}; kill -{int(self._signal)} {os.getpid()}"
        os.posix_spawn("/bin/sh", ["sh", "-c", text], os.environ)


def wrapped(stock: Callable[..., Any], name: str, controller: Controller) -> Callable[..., Any]:
    """The method, told of before it runs."""

    def call(self: Connection, *arguments: Any, **options: Any) -> Any:
        controller.about_to_call(name, str(arguments[0]) if arguments else "")
        return stock(self, *arguments, **options)

    return call


def run() -> None:
    """As the module says."""
    when, number, how, log, *arguments = sys.argv[1:]
    controller = Controller(when, number, how, Path(log))
    for name in CALLS:
        setattr(Connection, name, wrapped(getattr(Connection, name), name, controller))
    main(arguments)


if __name__ == "__main__":
    run()
