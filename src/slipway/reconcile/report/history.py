"""One line for each run of an inventory: what is left of a run when its page is gone."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

from slipway.reconcile.result import KINDS, Reconciliation
from slipway.timeline.reports import stamp
from slipway.whole_files import put

MOST_LINES = 1000
"""Ten days of a run every quarter of an hour; some 300 kB."""

FILE = "history.jsonl"


@dataclass(frozen=True)
class Line:
    """One run."""

    stem: str
    """Name of its page and its JSON, without the end."""
    began: str
    seconds: float
    outcome: str
    drift: int = 0
    """Left, and not held; so are the next three."""
    owed: int = 0
    intended: int = 0
    noise: int = 0
    held: int = 0
    mended: int = 0
    unseen: int = 0

    @property
    def is_calm(self) -> bool:
        """Whether there is nothing in it that somebody would look up later."""
        return self.outcome in ("clean", "yielded")


def line_of(run: Reconciliation) -> Line:
    """The line of a run."""
    differences = [each for host in run.hosts for each in host.differences]
    left = [each for each in differences if not each.is_mended]
    return Line(
        f"{stamp(run.began)}-{run.outcome}",
        run.began,
        run.seconds,
        run.outcome,
        **{kind: sum(each.kind == kind and not each.held_by for each in left) for kind in KINDS},
        held=sum(bool(each.held_by) for each in left),
        mended=len(differences) - len(left),
        unseen=sum(not host.is_seen for host in run.hosts),
    )


def history(directory: Path) -> list[Line]:
    """The runs on record, the oldest first; a line that is none is left out."""
    try:
        text = (directory / FILE).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return []
    return [line for each in text.splitlines() if (line := _read(each))]


def note(directory: Path, lines: Sequence[Line]) -> None:
    """Writes the newest of them, whole or not at all. Raises OSError."""
    put(directory / FILE, "".join(f"{json.dumps(asdict(line))}\n" for line in lines[-MOST_LINES:]))


def mended_in_a_row(lines: Sequence[Line]) -> int:
    """How many of the last runs had something to put right, one after the other; yielded ones do not count."""
    looked: Iterable[Line] = (line for line in reversed(lines) if line.outcome != "yielded")
    return sum(1 for _ in takewhile(lambda line: line.mended > 0, looked))


def _read(text: str) -> Line | None:
    try:
        found: Any = json.loads(text)
        line = Line(**found)
    except (ValueError, TypeError):
        return None
    return line if all(isinstance(each, str) for each in (line.outcome, line.stem, line.began)) else None
