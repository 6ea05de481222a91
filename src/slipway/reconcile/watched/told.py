"""What each place was told last, in a file of the controller: losing it costs a message too many, none too few."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from slipway.reconcile.watched.notices import Told
from slipway.whole_files import put


def read(path: Path) -> dict[str, Told]:
    """Place to what it was told. A file that cannot be read is like none: all that is open is told again."""
    try:
        found: Any = json.loads(path.read_text(encoding="utf-8"))
        return {str(place): Told(_texts(told["concerns"]), _texts(told["mended"])) for place, told in found.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def write(path: Path, told: Mapping[str, Told]) -> None:
    """Whole or not at all, for nobody else to read. Raises OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    put(path, json.dumps({place: asdict(each) for place, each in told.items()}, indent=1) + "\n")


def _texts(found: Any) -> dict[str, str]:
    """Only what has the form of a key: the file may be from an older version, or somebody's."""
    return {key: line for key, line in found.items() if key.count("\0") >= 2 and isinstance(line, str)}
