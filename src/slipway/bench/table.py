"""Figures as Markdown. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from slipway.bench.contestants import ANSIBLE, CONTESTANTS, FLOOR, MITOGEN, PYINFRA, SLIPWAY
from slipway.bench.results import (
    NO_OP,
    ON_THE_STACK,
    ONE_FILE,
    RECONCILE,
    STACK,
    Field,
    Figure,
    Summary,
    fields_of,
    summaries,
)

ENOUGH = 5
"""Runs that a median is of; with fewer, the number stands beside it."""

_MEASURES: tuple[tuple[str, Callable[[Summary], str]], ...] = (
    ("Wall time, seconds", lambda each: _seconds(each.wall)),
    ("Processor time of the controller, seconds", lambda each: _seconds(each.cpu)),
    ("Peak memory of the controller, MiB", lambda each: f"{each.peak_mib:.0f}"),
    ("Remote commands per host", lambda each: f"{each.sessions:.1f}".removesuffix(".0")),
)


class Promise(NamedTuple):
    """A ratio that is promised."""

    what: str
    scenario: str
    against: str
    """Whose time is divided by Slipway's."""
    direct: float
    far: float
    """With a round trip added."""


PROMISES = (
    Promise("stock pyinfra", STACK, PYINFRA, 8, 20),
    Promise("stock pyinfra", NO_OP, PYINFRA, 0, 0),
    Promise("Ansible", NO_OP, ANSIBLE, 40, 40),
    Promise("Ansible with Mitogen", NO_OP, MITOGEN, 5, 5),
)
"""0: nothing is promised."""


def tables(figures: Sequence[Figure]) -> str:
    """A table for each measure, contestants across; then what was promised and what came of it."""
    found, keys = summaries(figures), {each.contestant for each in figures}
    titles = [(each.key, each.title) for each in CONTESTANTS if each.key in keys]
    parts = [_measure(title, show, found, fields_of(figures), titles) for title, show in _MEASURES]
    return "\n".join([*parts, _ratios(found, fields_of(figures))])


def _measure(
    title: str, show: Callable[[Summary], str], found: dict[tuple[Field, str], Summary], fields: list[Field],
    titles: list[tuple[str, str]],
) -> str:  # fmt: skip
    rows = [[*_words(field), *(_cell(found.get((field, key)), show) for key, _ in titles)] for field in fields]
    return f"### {title}\n\n{markdown(['scenario', 'way', 'hosts', *(name for _, name in titles)], rows)}"


def _words(field: Field) -> list[str]:
    return [field.scenario, f"+{field.round_trip_ms} ms" if field.round_trip_ms else "direct", str(field.hosts)]


def _cell(summary: Summary | None, show: Callable[[Summary], str]) -> str:
    if summary is None:
        return "–"
    return show(summary) if summary.runs >= ENOUGH else f"{show(summary)} (n={summary.runs})"


def _seconds(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:.1f}"


def _ratios(found: dict[tuple[Field, str], Summary], fields: list[Field]) -> str:
    rows = [*_against_others(found, fields), *_one_file(found, fields), *_floor(found, fields)]
    return f"### What it comes to\n\n{markdown(['Slipway', 'way', 'hosts', 'measured', 'promised'], rows)}"


def _against_others(found: dict[tuple[Field, str], Summary], fields: list[Field]) -> list[list[str]]:
    rows = []
    for promise in PROMISES:
        for field in (each for each in fields if each.scenario == promise.scenario):
            own, other = found.get((field, SLIPWAY)), found.get((field, promise.against))
            if own and other:
                least = promise.far if field.round_trip_ms else promise.direct
                ratio = f"{other.wall / own.wall:.1f} times faster"
                promised = f"at least {least:g}" if least else "–"
                rows.append([f"{field.scenario} against {promise.what}", *_words(field)[1:], ratio, promised])
    return rows


def _one_file(found: dict[tuple[Field, str], Summary], fields: list[Field]) -> list[list[str]]:
    rows = []
    for field in (each for each in fields if each.scenario == ONE_FILE):
        own = found.get((field, SLIPWAY))
        none = found.get((Field(field.round_trip_ms, NO_OP, field.hosts), SLIPWAY))
        if own and none:
            rows.append(["one changed file against no-op", *_words(field)[1:], f"{own.wall / none.wall:.2f} times",
                         "at most 1.5"])  # fmt: skip
    return rows


def _floor(found: dict[tuple[Field, str], Summary], fields: list[Field]) -> list[list[str]]:
    rows = []
    for field in (each for each in fields if each.scenario in {NO_OP, *ON_THE_STACK}):
        own = found.get((field, SLIPWAY))
        floor = found.get((replace(field, scenario=STACK) if field.scenario == RECONCILE else field, FLOOR))
        if own and floor:
            rows.append(
                [f"{field.scenario} against `ssh true`", *_words(field)[1:], f"{own.wall / floor.wall:.1f} times", "–"]
            )
    return rows


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; its first two columns are words, the others numbers."""
    lines = [head, [":--" if number < 2 else "--:" for number in range(len(head))], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
