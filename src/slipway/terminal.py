"""What is shown to a person: tables and lines in which nothing that a host said can steer the terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.segment import Segment

from slipway.printable import printable


class Terminal(Console):
    """rich's console, for text of others: no markup in it, and its control characters are written out."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"markup": False, "emoji": False, "highlight": False, **options})

    def _render_buffer(self, buffer: Iterable[Segment]) -> str:
        # Everything that is printed comes through here, in whatever it is wrapped; rich's own codes are marked as such.
        return super()._render_buffer(each if each.control else _plain(each) for each in buffer)


def _plain(segment: Segment) -> Segment:
    return Segment(printable(segment.text), segment.style)
