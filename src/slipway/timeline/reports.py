"""Where reports lie on the controller: the newest twenty of each inventory, and which of them is the latest."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

from slipway.timeline.page import page
from slipway.timeline.picture import Picture, as_json
from slipway.whole_files import point, put

KEPT = 20
"""Reports of one inventory: weeks of releases, and a few megabytes at most."""

LATEST = "latest.html"
_OURS = re.compile(r"[0-9]{8}T[0-9]{6}Z-[A-Za-z0-9._-]*\.(html|json)")


def reports_of(inventory: str, directory: Path) -> Path:
    """Directory of the reports of one inventory."""
    return directory / (as_name(inventory) or "inventory")


def write(picture: Picture, directory: Path) -> Path:
    """Writes `<start time>-<release>.html` and `.json` under `directory/<inventory>` and returns the page's path.

    Nobody else may read them, since a failure's text is whatever a program printed. `latest.html` then leads to this
    one; of more than KEPT the oldest are gone. Raises OSError.
    """
    ours = reports_of(picture.inventory, directory)
    ours.mkdir(mode=0o700, parents=True, exist_ok=True)
    written = ours / f"{stamp(picture.started)}-{as_name(picture.release) or 'none'}.html"
    put(written.with_name(f"{written.stem}.json"), as_json(picture))
    put(written, page(picture))
    point(ours / LATEST, written.name)
    _drop_oldest(ours)
    return written


def stamp(started: str) -> str:
    """The time in UTC, so that names sort by it whatever the zone and the season."""
    try:
        moment = datetime.fromisoformat(started)
    except ValueError:
        moment = datetime.now(UTC)
    return moment.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def as_name(text: str) -> str:
    """The text as part of a file's name, whatever it is; an inventory may be given as a path."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip(".-")[:80]


def _drop_oldest(directory: Path) -> None:
    """Only what has a name of ours: whatever else somebody keeps there stays."""
    ours = [path for path in directory.iterdir() if _OURS.fullmatch(path.name)]
    kept = sorted({path.stem for path in ours})[-KEPT:]
    for path in ours:
        if path.stem not in kept:
            path.unlink(missing_ok=True)
