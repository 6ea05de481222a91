"""What the last run asked of a host, kept on the controller: the next run asks it all at once.

Only questions, never an answer, and no question that holds a secret. Losing it costs time and nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import slipway
from slipway import own_files
from slipway.seam.together import PRIVILEGE, Question

FORMAT = 1


@dataclass(frozen=True)
class Learnt:
    """What a host was asked."""

    questions: tuple[Question, ...] = ()
    """In the order in which they were asked."""
    slow: frozenset[Question] = frozenset()
    """Which of them took too long to be asked together with others."""
    fading: frozenset[Question] = frozenset()
    """Which of them the last run did not ask: a plan asks less than a deploy. A second time they are forgotten."""


def path_of(directory: Path, host: str) -> Path:
    """The file of a host, whatever it is called."""
    return directory / f"{quote(host, safe='')[:200]}.json"


def read(path: Path) -> Learnt:
    """What is there; nothing where that is missing, damaged, of another version, or where others may have written it:
    the questions are commands that root runs."""
    try:
        said = json.loads(own_files.read(path) or b"")
        if (said["format"], said["slipway"]) != (FORMAT, slipway.__version__):
            return Learnt()
        rows = [(_question(row), row) for row in said["questions"]]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return Learnt()
    slow, fading = (frozenset(each for each, row in rows if row.get(mark)) for mark in ("slow", "fading"))
    return Learnt(tuple(each for each, _ in rows), slow, fading)


def _question(row: Any) -> Question:
    """Raises ValueError, KeyError, TypeError or AttributeError for what is none."""
    words, seconds, privilege = row["words"], row["seconds"], row["privilege"]
    if not isinstance(words, str) or not isinstance(seconds, int) or not set(privilege) <= PRIVILEGE:
        raise ValueError("no question")
    if not all(isinstance(value, str | bool | int) for value in privilege.values()):
        raise ValueError("no privilege")
    return Question(words, tuple(sorted(privilege.items())), seconds)


def write(path: Path, learnt: Learnt) -> None:
    """Whole or not at all, for our eyes. Where it cannot be written the next run is slower, and that is all."""
    rows = [_row(each, learnt) for each in _unique(learnt.questions)]
    told = json.dumps({"format": FORMAT, "slipway": slipway.__version__, "questions": rows})
    own_files.write(path, told.encode())


def _unique(questions: Iterable[Question]) -> Iterable[Question]:
    return (each for each in dict.fromkeys(questions) if not each.alone)


def _row(question: Question, learnt: Learnt) -> dict[str, Any]:
    marks = {"slow": question in learnt.slow, "fading": question in learnt.fading}
    row = {"words": question.words, "privilege": dict(question.privilege), "seconds": question.seconds}
    return {**row, **{mark: True for mark, is_so in marks.items() if is_so}}
