"""Collects the events of a run, for the picture at its end."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slipway.engine.events import Event
from slipway.timeline.building import pictured
from slipway.timeline.picture import Picture
from slipway.timeline.reports import write

if TYPE_CHECKING:
    from slipway.engine.execute import Result
    from slipway.engine.run import Run


class Timeline:
    """A listener that keeps what happens. Told the beginning and the end of the run too, its picture is whole."""

    def __init__(self) -> None:
        self._start, self._started = time.monotonic(), datetime.now().astimezone()
        self._told: list[Mapping[str, Any]] = []

    def __call__(self, event: Event) -> None:
        self._told.append({**vars(event), "at": round(time.monotonic() - self._start, 3)})

    @property
    def picture(self) -> Picture:
        """What happened so far; where nobody told when the run began, it began when this listener was made."""
        begun = {"kind": "run-start", "details": {"started": self._started.isoformat(timespec="seconds")}}
        return pictured([begun, *self._told])

    def write(self, directory: Path) -> Path:
        """Writes the report under `directory` (see `reports.write`) and returns the page's path. Raises OSError."""
        return write(self.picture, directory)


def details_at_start(run: Run) -> dict[str, str]:
    """Details of the event `run-start`: which inventory, who, from which commit, which release, since when."""
    from slipway.paths import project_root
    from slipway.release import origin

    came_from = origin(project_root())
    return {
        "inventory": run.fleet.inventory,
        "who": came_from.who,
        "commit": came_from.commit,
        "release": run.release.id if run.release else "",
        "started": datetime.now().astimezone().isoformat(timespec="seconds"),
    }


def run_end(result: Result) -> Event:
    """The last event of a run: what became of each host."""
    from slipway.engine.progress import errors

    details = {
        "hosts": {name: asdict(host) for name, host in result.hosts.items()},
        "changed": result.changed,
        "stopped_in": result.stopped_in,
        "untouched": list(result.untouched),
        "taken_back": list(result.taken_back),
        "aborted": result.aborted,
        "errors": errors(result),
    }
    return Event("run-end", outcome="" if result.is_ok else "failed", details=details)
