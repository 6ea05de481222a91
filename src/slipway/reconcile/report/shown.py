"""What hosts and their differences are shown as on the page. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from slipway.reconcile.result import Difference, HostReport, Reconciliation

SIGNS = {
    "unseen": ("✕", "not seen", "nothing is known of the host"),
    "failed": ("✕", "failed", "it could not be mended"),
    "drift": ("▲", "drift", "something changed the host"),
    "owed": ("◆", "owed", "a run did not finish"),
    "held": ("‖", "held", "left alone: somebody said so"),
    "mended": ("✓", "mended", "put right by this run"),
    "intended": ("●", "intended", "the repository moved on; a deploy brings it"),
    "noise": ("○", "noise", "known, and said to be harmless"),
    "well": ("✓", "as released", "nothing differs"),
}
"""What something is shown as, the most pressing first: a shape, for who sees no colours; its word; its meaning."""

MOST_LISTED = 300
"""Differences on the page: beyond, it would be slow on a phone, and the JSON beside it has them."""
MOST_LINES, LONGEST_LINE = 400, 1000
"""Lines of one diff, and characters of one line."""


@dataclass(frozen=True)
class Shown:
    """A difference with what it is shown as."""

    sign: str
    difference: Difference
    lines: tuple[tuple[str, str], ...] = ()
    """Of its diff: what kind of line (added, gone, head, same), and the line."""


@dataclass(frozen=True)
class Tile:
    """A host at a glance."""

    report: HostReport
    sign: str
    """The most pressing of what it has."""
    counts: Mapping[str, int]
    """Sign to how many, the most pressing first."""
    shown: tuple[Shown, ...]


def tiles_of(run: Reconciliation) -> list[Tile]:
    """Every host in its order; of the differences as many as there is room for."""
    tiles, room = [], MOST_LISTED
    for host in run.hosts:
        tiles.append(_tile(host, room))
        room -= len(tiles[-1].shown)
    return tiles


def _tile(host: HostReport, room: int) -> Tile:
    shown = sorted((Shown(_sign(each), each) for each in host.differences), key=lambda each: _rank(each.sign))
    signs = [each.sign for each in shown]
    counts = {sign: signs.count(sign) for sign in SIGNS if sign in signs}
    state = "unseen" if not host.is_seen else "failed" if host.error else _worst(signs)
    listed = (Shown(each.sign, each.difference, tuple(_lines(each.difference.diff))) for each in shown[:room])
    return Tile(host, state, counts, tuple(listed))


def _sign(difference: Difference) -> str:
    if difference.is_mended:
        return "mended"
    return "held" if difference.held_by and difference.kind in ("drift", "owed") else difference.kind


def _worst(signs: Sequence[str]) -> str:
    return signs[0] if signs and signs[0] != "noise" else "well"


def _rank(sign: str) -> int:
    return list(SIGNS).index(sign)


def _lines(diff: str) -> Iterable[tuple[str, str]]:
    lines = diff.splitlines()
    for line in lines[:MOST_LINES]:
        yield _kind_of(line), line[:LONGEST_LINE]
    if len(lines) > MOST_LINES:
        yield "head", f"... {len(lines) - MOST_LINES} more lines are in the JSON beside this page"


def _kind_of(line: str) -> str:
    if line.startswith(("---", "+++", "@")):
        return "head"
    return {"+": "added", "-": "gone"}.get(line[:1], "same")
