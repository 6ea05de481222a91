"""Load on the edges, by strict clients of all kinds. A process of its own: what a test does must not slow it down."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from tests.rollout.load.seen import Answer, Ended, Failure, Seen, Sockets
from tests.rollout.load.wanted import Edge, Wanted

ROOT = Path(__file__).parents[3]
FINISH_SECONDS = 60
"""After the word to stop: longer than any request may take, so more is a hang."""

__all__ = ["Answer", "Edge", "Ended", "Failure", "Seen", "Sockets", "Wanted", "load"]


class LoadFailed(Exception):
    """The load did not run as long as it should: what a test saw meanwhile says nothing."""


@contextlib.contextmanager
def load(edges: Sequence[Edge], host: str, authority: str | Path, **wanted: Any) -> Iterator[Seen]:
    """Loads the edges as long as the block runs; what was seen stands in the `Seen` after it.

    Begins when every WebSocket is open. `wanted` are further fields of Wanted. Raises LoadFailed.
    """
    all_of_it = Wanted(tuple(edges), host, str(authority), **wanted)
    words = [sys.executable, "-m", "tests.rollout.load", json.dumps(asdict(all_of_it))]
    seen = Seen()
    with subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin and process.stdout
        try:
            if process.stdout.readline() != "ready\n":
                raise LoadFailed("the load could not begin; what it said stands on standard error")
            yield seen
        finally:
            told = _stop(process, process.stdin, process.stdout)
            if told:
                seen.fill(json.loads(told))
    if not told:
        raise LoadFailed("the load ended without a word; if it said why, that stands on standard error")
    if seen.is_cut_short:
        raise LoadFailed(f"the load ended by itself after {seen.seconds:.0f} s: give it more `longest_seconds`")


def _stop(process: subprocess.Popen[str], words: IO[str], answers: IO[str]) -> str:
    """What the process has to tell, once it has ended."""
    hang = threading.Timer(FINISH_SECONDS, process.kill)
    hang.start()
    try:
        # Not `communicate`, which would lose what was read together with the first line.
        with contextlib.suppress(BrokenPipeError):
            words.close()
        return answers.read()
    finally:
        hang.cancel()
