"""Runs one command and says what it and all its children took: seconds, processor, memory.

It is a process of its own: whatever the command leaves behind (a shared SSH connection) becomes its child, is ended
and counted.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

_SAMPLE_SECONDS = 0.1
"""Between two looks at the memory: a peak that lasts less may be missed."""
_PR_SET_CHILD_SUBREAPER = 36
_PAGE_MIB = resource.getpagesize() / (1 << 20)
_LONGEST = 3600
"""Seconds after which a run is taken to hang, and ended."""
_PATIENCE = 5
"""Seconds that what is left of a run has to end by itself once it was asked to."""


class Taken(NamedTuple):
    """What one run took."""

    code: int
    wall: float
    """Seconds, from the start of its process to its end."""
    cpu: float
    """Seconds of processor, user and system, of the process and all its children on this machine."""
    peak_mib: float
    """The most that it and its children had in memory at one time; pages that they share count for each."""


def measured(words: Sequence[str], cwd: Path, log: Path, environment: Mapping[str, str], stdin: str = "") -> Taken:
    """Runs it to its end, in this environment and no other, its output in `log`."""
    task = {"words": list(words), "cwd": str(cwd), "log": str(log), "environment": dict(environment), "stdin": stdin}
    own = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run(
        [sys.executable, "-m", __name__], input=json.dumps(task), env=own,
        stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    return Taken(**json.loads(done.stdout))


def _main() -> None:
    task = json.load(sys.stdin)
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    with Path(task["log"]).open("wb") as log:
        began = time.monotonic()
        process = subprocess.Popen(
            task["words"], cwd=task["cwd"], env=task["environment"],
            stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
        process.stdin.write(task["stdin"].encode())  # type: ignore[union-attr]  # it is a pipe
        process.stdin.close()  # type: ignore[union-attr]
        peak = _watch(process)
        wall = time.monotonic() - began
    _end_the_rest()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    taken = Taken(process.returncode, wall, used.ru_utime + used.ru_stime, peak)
    print(json.dumps(taken._asdict()))  # noqa: T201 - how the starter learns it


def _watch(process: subprocess.Popen[bytes]) -> float:
    """Waits for its end. The peak in MiB."""
    peak, until = 0.0, time.monotonic() + _LONGEST
    while True:
        if time.monotonic() > until:
            process.kill()  # its children are ended with what else is left
        peak = max(peak, sum(map(_resident_mib, _below(os.getpid()))))
        try:
            process.wait(_SAMPLE_SECONDS)
        except subprocess.TimeoutExpired:
            continue
        return peak


def _end_the_rest() -> None:
    """Ends what is left of our own children, and waits for it: only then is its processor time known."""
    until = time.monotonic() + _PATIENCE
    while left := descendants(os.getpid()):
        for process in left:
            _send(process, signal.SIGTERM if time.monotonic() < until else signal.SIGKILL)
        _reap()
        time.sleep(0.01)  # a process takes a moment to end, and nothing tells when a grandchild has


def _send(process: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):  # it was quicker
        os.kill(process, number)


def _reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return


def _below(process: int) -> list[int]:
    """The same as the kernel lists them, for a look at a moment: it may miss one that comes or goes.

    To go through all processes ten times a second would cost whoever is measured a twentieth of a processor.
    """
    return _reached(process, _listed)


def _listed(process: int) -> list[int]:
    found: list[int] = []
    with contextlib.suppress(OSError):  # it has ended, before its tasks were listed or among them
        for task in Path(f"/proc/{process}/task").glob("*/children"):
            found += map(int, task.read_text().split())
    return found


def descendants(process: int) -> list[int]:
    """Every process below this one."""
    children: dict[int, list[int]] = {}
    for each in Path("/proc").iterdir():
        if each.name.isdigit():
            children.setdefault(_parent(each), []).append(int(each.name))
    return _reached(process, lambda each: children.get(each, []))


def _reached(process: int, children_of: Callable[[int], list[int]]) -> list[int]:
    """Everything below it."""
    found, waiting = list[int](), children_of(process)[:]
    while waiting:
        found.append(waiting.pop())
        waiting += children_of(found[-1])
    return found


def _parent(process: Path) -> int:
    try:
        # The name, in brackets, may hold blanks and brackets: what counts comes after its last one.
        return int((process / "stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, ValueError):
        return 0  # it has ended


def _resident_mib(process: int) -> float:
    try:
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * _PAGE_MIB
    except OSError:
        return 0.0  # it has ended


if __name__ == "__main__":
    _main()
