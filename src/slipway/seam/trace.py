"""Where a run's time goes: with SLIPWAY_TRACE=FILE every remote command leaves a line there when it has ended."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TRACE = "SLIPWAY_TRACE"
_LONGEST = 160
"""Characters of a command that are kept: enough to know it by. Secrets are never in a command's words."""


@contextmanager
def traced(host: str, words: str) -> Iterator[None]:
    """Notes how long the block took on which host; without the variable it costs nothing."""
    if TRACE not in os.environ:
        yield
        return
    began = time.monotonic()
    try:
        yield
    finally:
        told = {"host": host, "at": round(began, 3), "seconds": round(time.monotonic() - began, 3)}
        _note({**told, "words": " ".join(words.split())[:_LONGEST], "pid": os.getpid()})


def counted(host: str, commands: int) -> None:
    """Notes, at the end of a connection, how many commands went over it."""
    if TRACE in os.environ:
        _note({"host": host, "commands": commands, "pid": os.getpid()})


def _note(line: dict[str, object]) -> None:
    if path := os.environ[TRACE]:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
