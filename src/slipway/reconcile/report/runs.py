"""Where the runs of an inventory lie on the controller, and which of them are kept."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from slipway.reconcile.report.history import Line, history, line_of, note
from slipway.reconcile.report.page import page
from slipway.reconcile.result import Reconciliation
from slipway.timeline.picture import Picture
from slipway.timeline.reports import reports_of
from slipway.whole_files import point, put

LATEST = "latest"
SEEN = "seen.json"
"""The last run that saw hosts: one that yielded knows nothing of any."""

_OURS = re.compile(r"([0-9]{8}T[0-9]{6}Z-[a-z]+)\.(html|json)")


def keep(run: Reconciliation, directory: Path, most: int, picture: Picture | None = None) -> Path:
    """Writes `<start time>-<outcome>.html` and `.json` under `directory/<inventory>` and returns the page's path.

    Nobody else may read them, since diffs are what hosts hold. `latest.html` and `latest.json` then lead to this one.
    The newest `most` runs that found something are kept, and as many that did not. Raises OSError.
    """
    ours = reports_of(run.inventory, directory)
    ours.mkdir(mode=0o700, parents=True, exist_ok=True)
    mine = line_of(run)
    lines = [*(line for line in history(ours) if line.stem != mine.stem), mine]
    kept = _kept(lines, most)
    put(ours / f"{mine.stem}.json", run.to_json())
    put(ours / f"{mine.stem}.html", page(run, lines, kept, picture))
    for end in ("html", "json"):
        point(ours / f"{LATEST}.{end}", f"{mine.stem}.{end}")
    note(ours, lines)
    if run.hosts:
        put(ours / SEEN, run.to_json())
    _drop(ours, kept)
    return ours / f"{mine.stem}.html"


def last_seen(inventory: str, directory: Path) -> Reconciliation | None:
    """The last run that saw hosts; None where there is none, or none that can be read."""
    try:
        return Reconciliation.from_json((reports_of(inventory, directory) / SEEN).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _kept(lines: Sequence[Line], most: int) -> frozenset[str]:
    """Names of the runs that are kept: calm ones, of which there are many, do not push out the others."""
    calm = [line.stem for line in lines if line.is_calm]
    loud = [line.stem for line in lines if not line.is_calm]
    return frozenset([*calm[-most:], *loud[-most:]])


def _drop(directory: Path, kept: frozenset[str]) -> None:
    """Only what has a name of ours: whatever else somebody keeps there stays."""
    for path in directory.iterdir():
        match = _OURS.fullmatch(path.name)
        if match and match[1] not in kept:
            path.unlink(missing_ok=True)
