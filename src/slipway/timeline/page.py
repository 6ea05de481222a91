"""The page: self-contained, without a script, and whatever a host said is text on it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from slipway.timeline.chart import (
    BAR,
    HEAD,
    KINDS,
    UNITS,
    Chart,
    begin_of,
    chart_of,
    clock,
    duration,
    kind_of,
    kinds_in,
)
from slipway.timeline.picture import Picture, StageRecord, Step

MOST_LISTED = 400
"""Steps up to which the page lists each in a table, for who cannot hover; beyond, the JSON beside it has them."""

MOST_SAID = 4000
"""Characters of a failure on the page: a log may have a line of a megabyte."""

# Control characters and halves of surrogate pairs are no XML; turning the direction of writing around would make a
# text say on the page what it does not say in the log.
_UNPRINTABLE = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True)
class Durations:
    """How long one host was at each kind of step, in seconds; None where it never was."""

    host: str
    by_kind: tuple[float | None, ...]
    in_all: float
    """Time that it was at something; what it did at once counts once."""


@dataclass(frozen=True)
class Section:
    """One stage on the page."""

    stage: StageRecord
    chart: Chart
    durations: tuple[Durations, ...]
    begin: float
    """Seconds of the run at which its drawing begins."""
    steps: tuple[Step, ...]
    """Each of them in time, or none where there are too many to list."""


def page(picture: Picture) -> str:
    """The whole page as text: HTML that is well-formed XML too."""
    return _template().render(
        picture=picture,
        when=shown_time(picture.started),
        title=_title(picture),
        overhead=max((b.overhead for s in picture.stages for b in s.batches if b.overhead is not None), default=None),
        **drawing(picture),
    )


def drawing(picture: Picture | None) -> dict[str, Any]:
    """What `stages.html.j2` draws: every stage that has steps; nothing without a picture."""
    stages = picture.stages if picture else ()
    sections = [_section(stage, picture) for stage in stages if picture and stage.steps]
    return {"sections": sections, "kinds": KINDS, "units": UNITS, "bar_height": BAR, "head": HEAD}


def _section(stage: StageRecord, picture: Picture) -> Section:
    steps = tuple(sorted(stage.steps, key=lambda step: step.at))
    return Section(
        stage,
        chart_of(stage, picture),
        tuple(_durations(stage)),
        begin_of(stage),
        steps if len(steps) <= MOST_LISTED else (),
    )


def _durations(stage: StageRecord) -> Iterable[Durations]:
    kinds = kinds_in(stage.steps)
    for host in ("", *stage.hosts):
        mine = [step for step in stage.steps if step.host == host]
        if mine:
            yield Durations(host, tuple(_sum(mine, kind) for kind in kinds), _busy(mine))


def _busy(steps: Sequence[Step]) -> float:
    took, until = 0.0, 0.0
    for step in sorted(steps, key=lambda step: step.at):
        took += max(step.end - max(step.at, until), 0)
        until = max(until, step.end)
    return took


def _sum(steps: Sequence[Step], kind: str) -> float | None:
    took = [step.seconds for step in steps if kind_of(step) == kind]
    return sum(took) if took else None


def _title(picture: Picture) -> str:
    release = f" {picture.release}" if picture.release else ""
    return f"{picture.what or 'run'} {picture.inventory}{release}".strip()


def shown_time(started: str) -> str:
    """A moment as people read it; text that is none stays what it is."""
    try:
        return datetime.fromisoformat(started).strftime("%Y-%m-%d %H:%M:%S %z")
    except ValueError:
        return started


@cache
def _template() -> Template:
    return page_environment().get_template("page.html.j2")


def page_environment(*folders: Path) -> Environment:
    """Templates of pages, the folder's own before those of this one: whatever they are given is text in them."""
    environment = Environment(
        loader=FileSystemLoader([*folders, Path(__file__).parent]),
        undefined=StrictUndefined,
        autoescape=True,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"duration": duration, "clock": clock, "percent": _percent, "shortened": _shortened}
    return environment


def _printable(value: Any) -> Any:
    return _UNPRINTABLE.sub("�", value) if type(value) is str else value


def _shortened(text: str) -> str:
    if len(text) <= MOST_SAID:
        return text
    return f"{text[:MOST_SAID]}\n... {len(text) - MOST_SAID} more characters are in the JSON beside this page"


def _percent(units: int) -> str:
    return f"{units * 100 / UNITS:g}%"
