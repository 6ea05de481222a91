"""How much slower than a quiet machine this one is at the moment, for limits that are given in seconds."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage

STOCK_SECONDS = 0.35
"""What `pyinfra --version` takes on a quiet machine; nearly all of it is Python loading modules."""


@cache
def slowness() -> float:
    """1 on a quiet machine, 2 where everything takes twice as long. Never less than 1: a limit is not made stricter."""
    return max(1.0, processor_seconds([str(Path(sys.executable).with_name("pyinfra")), "--version"]) / STOCK_SECONDS)


def processor_seconds(words: Sequence[str], cwd: Path | None = None, env: Mapping[str, str] | None = None) -> float:
    """Of a command; the least of four runs, for whatever else the machine does only adds to it."""
    # Without it nothing that Python has compiled is kept, which is nobody's case but a test machine's.
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}

    def once() -> float:
        before = getrusage(RUSAGE_CHILDREN)
        # Under a second each; a minute tells a hang from a busy machine.
        subprocess.run(words, cwd=cwd, env={**kept, **(env or {})}, capture_output=True, timeout=60, check=False)
        after = getrusage(RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    return min(once() for _ in range(4))
