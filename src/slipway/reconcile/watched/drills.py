"""Drills: what is tried from time to time because nobody would notice that it no longer works, and how it went."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from slipway.whole_files import put

NOTIFICATION = "notification"
"""The drill that sends a message and a heartbeat to every place that is told."""

QUARTER = 92 * 86_400
"""Seconds within which a drill is to go well again, where nothing else is said."""


@dataclass(frozen=True)
class Drill:
    """One drill. Times in seconds since 1970; 0 where it never was."""

    tried_at: float = 0.0
    passed_at: float = 0.0
    every: float = QUARTER


def read(path: Path) -> dict[str, Drill]:
    """Name to drill; a file that cannot be read is like none."""
    try:
        found: Any = json.loads(path.read_text(encoding="utf-8"))
        return {str(name): Drill(**{key: float(value) for key, value in each.items()}) for name, each in found.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def note(path: Path, name: str, now: float, went_well: bool) -> None:
    """Notes how a drill went. Raises OSError."""
    known = read(path)
    before = known.get(name, Drill())
    known[name] = replace(before, tried_at=now, passed_at=now if went_well else before.passed_at)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    put(path, _as_json(known))


def _as_json(drills: Mapping[str, Drill]) -> str:
    return json.dumps({name: asdict(drill) for name, drill in drills.items()}, indent=1) + "\n"
