"""Progress that a person can follow, and events for programs."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from typing import IO

from rich.live import Live
from rich.table import Table
from rich.text import Text

from slipway.engine.events import Event
from slipway.engine.execute import HostResult, Result
from slipway.printable import printable
from slipway.seam.errors import HostUnreachable
from slipway.terminal import Terminal

MARKS = {"changed": ("changed", "yellow"), "failed": ("FAILED", "bold red"), "unchanged": ("ok", "green")}


class PlainProgress:
    """A line for each thing that happened; what did not change is left out unless `verbose`."""

    def __init__(self, stream: IO[str] | None = None, verbose: bool = False) -> None:
        self._stream, self._verbose, self._start = stream or sys.stderr, verbose, time.monotonic()

    def __call__(self, event: Event) -> None:
        line = self._line(event)
        if line:
            print(printable(f"[{time.monotonic() - self._start:6.1f}s] {line}"), file=self._stream, flush=True)

    def _line(self, event: Event) -> str:
        if event.kind == "stage-start":
            return f"{event.stage}: {', '.join(event.details['hosts'])}"
        if event.kind == "operation" and (self._verbose or event.outcome != "unchanged"):
            return f"  {event.host}  {event.what}: {event.outcome} ({event.seconds:.1f} s)"
        if event.kind in ("note", "failure"):
            return f"  {event.host}  {event.what}"
        if event.kind == "warning":
            return f"  warning: {event.what}"
        return ""


class JsonProgress:
    """One JSON object a line."""

    def __init__(self, stream: IO[str] | None = None) -> None:
        self._stream, self._start = stream or sys.stdout, time.monotonic()

    def __call__(self, event: Event) -> None:
        told = {key: value for key, value in asdict(event).items() if value not in ("", {})}
        told["at"] = round(time.monotonic() - self._start, 3)
        print(json.dumps(told, sort_keys=True), file=self._stream, flush=True)


class LiveProgress:
    """A table on a terminal: each host, what it is at, how long it has been at it."""

    def __init__(self, console: Terminal) -> None:
        self._rows: dict[str, dict[str, object]] = {}
        self._stage, self._start = "", time.monotonic()
        self._live = Live(console=console, refresh_per_second=4, transient=True, get_renderable=self._table)

    def __enter__(self) -> LiveProgress:
        self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._live.stop()

    def __call__(self, event: Event) -> None:
        if event.kind == "stage-start":
            self._stage = event.stage
            self._live.console.print(Text(f"{self._elapsed():7.1f}s  {event.stage}", style="bold"))
        if event.kind == "warning":
            self._live.console.print(Text.assemble(("warning: ", "yellow"), event.what))
        if event.kind == "note" and not event.host:
            self._live.console.print(Text(f"{self._elapsed():7.1f}s  {event.what}"))
        if not event.host:
            return
        row = self._rows.setdefault(event.host, {"what": "", "changed": 0, "unchanged": 0, "since": time.monotonic()})
        row["what"], row["since"] = _at(event), time.monotonic()
        if event.kind == "operation":
            row[event.outcome] = int(str(row.get(event.outcome, 0))) + 1
            if event.outcome != "unchanged":
                word, style = MARKS[event.outcome]
                self._live.console.print(
                    Text.assemble(f"{self._elapsed():7.1f}s    {event.host:<12} {event.what} ", (word, style))
                )

    def _elapsed(self) -> float:
        return time.monotonic() - self._start

    def _table(self) -> Table:
        table = Table(title=f"{self._stage}  {self._elapsed():.0f} s", title_justify="left", box=None, expand=True)
        for name in ("host", "at", "changed", "ok", "for"):
            table.add_column(name)
        for host, row in self._rows.items():
            since = time.monotonic() - float(str(row["since"]))
            table.add_row(host, str(row["what"]), str(row["changed"]), str(row["unchanged"]), f"{since:.0f} s")
        return table


def _at(event: Event) -> str:
    """What a host is at after this event; an operation that has ended is followed by the next at once."""
    return "-" if event.kind == "host-end" else event.what or event.stage


def summary(result: Result, unreachable: tuple[str, ...] = ()) -> Table:
    """Every host of the run, failed, unreachable and untouched ones too."""
    table = Table(title="Summary", title_justify="left")
    for name in ("Host", "Result", "Changed", "Unchanged", "Time"):
        table.add_column(name, justify="right" if name in ("Changed", "Unchanged", "Time") else "left")
    for name, host in result.hosts.items():
        outcome, style = _outcome(result, name)
        table.add_row(name, Text(outcome, style=style), str(host.changed), str(host.unchanged), f"{host.seconds:.1f} s")
    for name in (*unreachable, *result.absent):
        table.add_row(name, Text("unreachable", style="bold red"), "-", "-", "-")
    return table


def _outcome(result: Result, name: str) -> tuple[str, str]:
    host = result.hosts[name]
    if host.error:
        return "FAILED", "bold red"
    if name in result.untouched:
        return f"not reached ({result.stopped_in})", "yellow"
    return ("changed", "yellow") if host.changed else ("no change", "green")


def show_unreachable(error: HostUnreachable, console: Terminal) -> None:
    """Every host of a run that could not begin: who did not answer and why, and who was left as it was."""
    result = Result({name: HostResult() for name in error.reached}, stopped_in="connecting", untouched=error.reached)
    console.print(summary(result, tuple(error.hosts)))
    told = f"{error}\nHINT: slipway doctor says of each of them what to do"
    console.print(told, markup=False, highlight=False, soft_wrap=True)


def errors(result: Result) -> list[str]:
    """What failed on which host, and which hosts were left as they were."""
    told = [f"{name}: {host.error}" for name, host in result.hosts.items() if host.error]
    told += [
        f"{name}: unreachable: {why}\n  It was left as it is; when it is back it gets no requests before a deploy."
        for name, why in result.absent.items()
    ]
    if result.taken_back:
        told.append(f"Taken back to what they ran before: {', '.join(result.taken_back)}.")
    if result.aborted:
        told.append(f"The rollout was {result.aborted}.")
    if result.stopped_in:
        rest = f"; not touched there: {', '.join(result.untouched)}" if result.untouched else ""
        told.append(f"Stopped in {result.stopped_in!r}{rest}. Mend it and run again: what is done is not done twice.")
    return told
