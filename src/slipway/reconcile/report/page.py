"""The page of one reconcile: self-contained, without a script, and whatever a host said is text on it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from pathlib import Path

from jinja2 import Template

from slipway.reconcile.report.history import Line, line_of
from slipway.reconcile.report.shown import SIGNS, tiles_of
from slipway.reconcile.result import Reconciliation
from slipway.timeline.page import drawing, page_environment, shown_time
from slipway.timeline.picture import Picture

OUTCOMES = {
    "clean": ("✓", "clean", "well"),
    "mended": ("✓", "mended", "well"),
    "found": ("▲", "FOUND DIFFERENCES", "failed"),
    "held": ("‖", "held", "unfinished"),
    "failed": ("✕", "FAILED", "failed"),
    "yielded": ("…", "yielded", "unfinished"),
}
"""Sign, words and look of an outcome."""

MENDS = {"none": "nothing: it reports only", "drift": "drift and what is owed", "all": "all, and deploys"}

OPEN = 12
"""Differences up to which every diff is shown at once."""
MOST_RUNS, MOST_MARKS = 40, 96
"""Rows in the table, and marks in the row above it: a day of a run every quarter of an hour."""


def page(
    run: Reconciliation, runs: Sequence[Line] = (), kept: Collection[str] = (), picture: Picture | None = None
) -> str:
    """The whole page as text: HTML that is well-formed XML too.

    + runs: every run on record, this one last
    + kept: stems of those that have a page
    + picture: the roll that mended
    """
    tiles = tiles_of(run)
    total = sum(len(host.differences) for host in run.hosts)
    return _template().render(
        run=run,
        tiles=tiles,
        troubled=[tile for tile in tiles if tile.sign in ("unseen", "failed")],
        present=[sign for sign in SIGNS if any(sign in tile.counts for tile in tiles)],
        signs=SIGNS,
        outcomes=OUTCOMES,
        mends=MENDS,
        verdict=_verdict(run),
        is_open=total <= OPEN,
        beyond=total - sum(len(tile.shown) for tile in tiles),
        rows=list(_rows(runs))[:MOST_RUNS],
        marks=list(runs)[-MOST_MARKS:],
        kept=kept,
        **drawing(picture),
    )


@dataclass(frozen=True)
class Row:
    """A run in the table, or calm ones that followed one another."""

    first: Line
    last: Line
    count: int


def _rows(runs: Sequence[Line]) -> Iterable[Row]:
    """The newest first; runs that found nothing stand in one row, so that the others are seen."""
    for _, grouped in groupby(reversed(runs), key=lambda line: line.outcome if line.is_calm else line.stem):
        lines = list(grouped)
        yield Row(lines[-1], lines[0], len(lines))


def _when(moment: str) -> str:
    return shown_time(moment).replace(" +0000", " UTC")


def _span(row: Row) -> str:
    """When its runs began: short enough for a phone."""
    begun = [each.began[:16].replace("T", " ") for each in (row.first, row.last)]
    if begun[0] == begun[1]:
        return begun[0]
    return f"{begun[0]} – {begun[1][11:] if begun[0][:10] == begun[1][:10] else begun[1][5:]}"


def _verdict(run: Reconciliation) -> str:
    """How it stands, in a sentence for somebody who reads no further."""
    if run.outcome == "yielded":
        return "Somebody else was at work on these hosts: nothing was looked at, nothing was touched."
    told = ", ".join(_parts(line_of(run)))
    if told or not run.hosts:
        return f"{told}." if told else "No host was looked at."
    return f"Nothing differs: {_counted(len(run.hosts), 'host is', 'hosts are', 'as released')}."


def _parts(line: Line) -> Iterable[str]:
    counted = (
        _counted(line.unseen, "host was", "hosts were", "not seen"),
        _counted(line.drift + line.owed, "difference is", "differences are", "to be put right"),
        _counted(line.held, "is", "are", "held"),
        _counted(line.mended, "was", "were", "put right"),
        _counted(line.intended, "waits", "wait", "for a deploy"),
        _counted(line.noise, "is", "are", "known noise"),
    )
    return (part for part in counted if part)


def _counted(count: int, one: str, many: str, rest: str) -> str:
    return f"{count} {one if count == 1 else many} {rest}" if count else ""


@cache
def _template() -> Template:
    environment = page_environment(Path(__file__).parent)
    environment.filters |= {"when": _when, "span": _span}
    return environment.get_template("reconcile.html.j2")
