"""Figures of runs, and what is said of them: medians and ratios. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from statistics import median
from typing import Any

FORMAT = 1
"""Of the JSON; goes up when a field changes its meaning or goes away."""

NO_OP, ONE_FILE, FIRST, BY_HAND = "no-op", "one file", "first deploy", "by hand"
STACK, RECONCILE = "full stack, no-op", "full stack, reconcile"
SCENARIOS = {
    NO_OP: "nothing to do",
    ONE_FILE: "one file of one host was edited by hand",
    FIRST: "hosts that nobody has deployed to",
    STACK: "nothing to do on the whole lab, by the project's own deploy.py",
    RECONCILE: "the same hosts compared with what was released to them, and with what the project wants",
}
ON_THE_STACK = frozenset({STACK, RECONCILE})
"""Measured on the whole lab, together."""


@dataclass(frozen=True)
class Figure:
    """One run of one contestant."""

    contestant: str
    scenario: str
    hosts: int
    round_trip_ms: int
    """Added to the network's own; 0 is direct."""
    wall: float
    """Seconds."""
    cpu: float
    """Seconds of processor on the controller."""
    peak_mib: float
    sessions: float
    """Commands that sshd was asked for, on average of the hosts; a subsystem counts as one."""
    load: float
    """Load average of the last minute before it."""


@dataclass(frozen=True, order=True)
class Field:
    """What contestants are compared in."""

    round_trip_ms: int
    scenario: str
    hosts: int


@dataclass(frozen=True)
class Summary:
    """Medians of a contestant's runs in one field."""

    runs: int
    wall: float
    cpu: float
    peak_mib: float
    sessions: float
    fastest: float
    slowest: float


def field_of(figure: Figure) -> Field:
    return Field(figure.round_trip_ms, figure.scenario, figure.hosts)


def fields_of(figures: Iterable[Figure]) -> list[Field]:
    """Each field that occurs: nearest first, scenarios in their order, by number of hosts."""
    order = list(SCENARIOS)
    found = {field_of(each) for each in figures if each.scenario in SCENARIOS}
    return sorted(found, key=lambda field: (order.index(field.scenario), field.round_trip_ms, field.hosts))


def summaries(figures: Iterable[Figure]) -> dict[tuple[Field, str], Summary]:
    """By field and contestant."""
    groups: dict[tuple[Field, str], list[Figure]] = {}
    for each in figures:
        groups.setdefault((field_of(each), each.contestant), []).append(each)
    return {key: _summary(group) for key, group in groups.items()}


def _summary(figures: Sequence[Figure]) -> Summary:
    walls = [each.wall for each in figures]
    return Summary(
        runs=len(figures),
        wall=median(walls),
        cpu=median(each.cpu for each in figures),
        peak_mib=median(each.peak_mib for each in figures),
        sessions=median(each.sessions for each in figures),
        fastest=min(walls),
        slowest=max(walls),
    )


def expected_seconds(
    figures: Sequence[Figure], contestant: str, scenario: str, hosts: int, round_trip_ms: int
) -> float:
    """How long a run may take, from those that were: the nearest kind with most hosts, in proportion to the hosts.

    0 where nothing is known of it.
    """
    own = [each for each in figures if each.contestant == contestant and each.hosts <= hosts]
    alike = [each for each in own if each.scenario == scenario] or own
    near = [each for each in alike if each.round_trip_ms == round_trip_ms] or alike
    most = max((each.hosts for each in near), default=0)
    return max((each.wall * hosts / most for each in near if each.hosts == most), default=0.0)


def to_json(figures: Sequence[Figure], about: dict[str, Any]) -> str:
    """Raw figures with what they were taken on, one figure a line."""
    lines = ",\n".join(f"  {json.dumps(asdict(_rounded(each)))}" for each in figures)
    return f'{{"format": {FORMAT},\n "about": {json.dumps(about)},\n "figures": [\n{lines}\n]}}\n'


def from_json(text: str) -> tuple[list[Figure], dict[str, Any]]:
    """The inverse. Raises ValueError for another format."""
    read = json.loads(text)
    if read["format"] != FORMAT:
        raise ValueError(f"figures of format {read['format']}, wanted {FORMAT}")
    return [Figure(**each) for each in read["figures"]], read["about"]


def _rounded(figure: Figure) -> Figure:
    """To milliseconds and the like: more is noise."""
    return replace(
        figure, wall=round(figure.wall, 3), cpu=round(figure.cpu, 3), peak_mib=round(figure.peak_mib, 1),
        sessions=round(figure.sessions, 2), load=round(figure.load, 2),
    )  # fmt: skip
