"""A run as it is shown: its progress while it goes on, its result, and its timeline as a page afterwards."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from slipway.cli.outcome import FAILED
from slipway.engine.events import Events
from slipway.engine.execute import Result
from slipway.engine.progress import JsonProgress, LiveProgress, PlainProgress, errors, summary
from slipway.engine.run import Run
from slipway.paths import state_dir
from slipway.terminal import Terminal
from slipway.timeline import Timeline, details_at_start, run_end


@dataclass(frozen=True)
class Watch:
    """Where a run is told to."""

    events: Events
    timeline: Timeline
    as_json: bool

    def begin(self, run: Run, what: str) -> None:
        """The run begins: what it is, of which inventory, by whom."""
        self.events.tell("run-start", what=what, details=details_at_start(run))

    def end(self, result: Result, run: Run, done: str = "") -> int:
        """Tells what became of it, writes its timeline, and returns the exit code."""
        last = run_end(result)
        self.events.tell(last.kind, outcome=last.outcome, details=last.details)
        if not self.as_json:
            show_result(result, run, done)
        if result.changed or not result.is_ok or result.taken_back:
            self._write()
        return 0 if result.is_ok else FAILED

    def _write(self) -> None:
        console = Terminal(stderr=True, highlight=False, soft_wrap=True)
        try:
            page = self.timeline.write(state_dir() / "reports")
            console.print(f"Timeline: {page}", markup=False)
        except OSError as error:  # the run is what counts; its picture is a convenience
            console.print(f"The timeline could not be written: {error}", markup=False)


@contextlib.contextmanager
def watched(as_json: bool = False, verbose: bool = False) -> Iterator[Watch]:
    """Live on a terminal, plain lines elsewhere, one JSON object a line for programs."""
    console, timeline = Terminal(stderr=True), Timeline()
    if as_json:
        yield Watch(Events(JsonProgress(), timeline), timeline, as_json)
    elif console.is_terminal and not verbose:
        with LiveProgress(console) as live:
            yield Watch(Events(live, timeline), timeline, as_json)
    else:
        yield Watch(Events(PlainProgress(verbose=verbose), timeline), timeline, as_json)


def show_result(result: Result, run: Run, done: str = "") -> None:
    """The table of hosts, what failed, and how it ended."""
    console = Terminal(stderr=True, highlight=False)
    console.print(summary(result))
    for line in errors(result):
        console.print(line, markup=False, style="red", soft_wrap=True)
    if result.is_ok:
        console.print(done or _ended(result, run), markup=False)


def _ended(result: Result, run: Run) -> str:
    changes = f"{result.changed} changes." if result.changed else "No changes: all as wanted."
    if run.canary:
        inventory = run.fleet.inventory
        return (
            f"{changes} Release {run.canary.release} stands beside the one before, with its share of the sessions.\n"
            f"slipway canary {inventory} set PERCENT, promote, or abort"
        )
    return f"{changes} Release {run.release.id}." if run.release else changes
