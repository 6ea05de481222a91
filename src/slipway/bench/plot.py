"""Figures as a drawing: a row for each field, time across on a logarithmic scale, a mark for each contestant. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from slipway.bench.contestants import CONTESTANTS
from slipway.bench.results import Field, Figure, Summary, fields_of, summaries

COLOURS = ("#6b7280", "#0b6bcb", "#d97706", "#b91c1c", "#7e22ce")
"""One for each contestant, in their order: told apart without red and green side by side."""
_WIDTH, _LEFT, _RIGHT, _TOP, _ROW, _BOTTOM = 900, 230, 24, 64, 26, 40
"""Pixels: of the whole, of the words on the left, of the margin, of the legend, of a row, of the scale."""


def plot(figures: Sequence[Figure]) -> str:
    """An SVG of the medians of wall time; a thin line goes from the fastest run to the slowest."""
    fields, found = fields_of(figures), summaries(figures)
    low, high = _range([found[key] for key in found if key[0] in fields])
    height = _TOP + _ROW * len(fields) + _BOTTOM
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" font-family="sans-serif" '
        f'font-size="12" role="img"><title>Wall time by contestant</title>',
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        *_legend({each.contestant for each in figures}),
        *_scale(low, high, height),
    ]
    for number, field in enumerate(fields):
        parts += _row(field, found, _TOP + _ROW * number + _ROW // 2, (low, high))
    return "\n".join([*parts, "</svg>", ""])


def _range(shown: Sequence[Summary]) -> tuple[int, int]:
    """Powers of ten that hold every time."""
    low = min((each.fastest for each in shown), default=1.0)
    high = max((each.slowest for each in shown), default=10.0)
    least = math.floor(math.log10(low))
    return least, max(least + 1, math.ceil(math.log10(high)))


def _x(seconds: float, span: tuple[int, int]) -> float:
    share = (math.log10(seconds) - span[0]) / (span[1] - span[0])
    return round(_LEFT + share * (_WIDTH - _LEFT - _RIGHT), 1)


def _legend(keys: set[str]) -> list[str]:
    parts = ['<text x="12" y="20" font-weight="bold">Wall time of a run, seconds (median; less is better)</text>']
    place = _LEFT
    for colour, each in zip(COLOURS, CONTESTANTS, strict=True):
        if each.key in keys:
            parts.append(f'<circle cx="{place}" cy="40" r="5" fill="{colour}"/>')
            parts.append(f'<text x="{place + 10}" y="44">{escape(each.title)}</text>')
            place += 30 + 7 * len(each.title)
    return parts


def _scale(low: int, high: int, height: int) -> list[str]:
    parts = []
    for power in range(low, high + 1):
        x = _x(10**power, (low, high))
        parts.append(f'<line x1="{x}" y1="{_TOP}" x2="{x}" y2="{height - _BOTTOM}" stroke="#d1d5db"/>')
        parts.append(f'<text x="{x}" y="{height - _BOTTOM + 18}" text-anchor="middle">{10.0**power:g}</text>')
    return parts


def _row(field: Field, found: dict[tuple[Field, str], Summary], y: int, span: tuple[int, int]) -> list[str]:
    way = f"+{field.round_trip_ms} ms" if field.round_trip_ms else "direct"
    words = f"{field.scenario}, {field.hosts} {'host' if field.hosts == 1 else 'hosts'}, {way}"
    parts = [
        f'<line x1="{_LEFT}" y1="{y}" x2="{_WIDTH - _RIGHT}" y2="{y}" stroke="#f3f4f6"/>',
        f'<text x="{_LEFT - 10}" y="{y + 4}" text-anchor="end">{escape(words)}</text>',
    ]
    for colour, each in zip(COLOURS, CONTESTANTS, strict=True):
        if summary := found.get((field, each.key)):
            parts += _mark(f"{each.title}, {words}", summary, y, colour, span)
    return parts


def _mark(words: str, summary: Summary, y: int, colour: str, span: tuple[int, int]) -> list[str]:
    fastest, slowest = _x(summary.fastest, span), _x(summary.slowest, span)
    title = f"{words}: {summary.wall:.2f} s ({summary.fastest:.2f} to {summary.slowest:.2f}, {summary.runs} runs)"
    return [
        f'<line x1="{fastest}" y1="{y}" x2="{slowest}" y2="{y}" stroke="{colour}" stroke-width="2"/>',
        f'<circle cx="{_x(summary.wall, span)}" cy="{y}" r="5" fill="{colour}"><title>{escape(title)}</title></circle>',
    ]
