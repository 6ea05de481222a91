"""What a series leaves: raw figures, the plot, and the tables in their place on a page. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from slipway.bench.plot import plot
from slipway.bench.results import Figure, from_json, to_json
from slipway.bench.table import markdown, tables

BEGIN, END = "<!-- figures: written by ./slipway bench -->", "<!-- end of figures -->"
PAGE, PLOT, RAW = "benchmarks.md", "benchmarks.svg", "benchmarks.json"
_BARE = f"# Benchmarks\n\n{BEGIN}\n{END}\n"


def files(figures: Sequence[Figure], about: dict[str, Any], page: str | None = None) -> dict[str, str]:
    """File name to content. `page`: what stands there already; only what is between its two marks is replaced."""
    return {
        RAW: to_json(figures, about),
        PLOT: plot(figures),
        PAGE: replaced(page or _BARE, f"{_about(about)}\n![Wall time]({PLOT})\n\n{tables(figures)}"),
    }


def joined(raw: str, figures: Sequence[Figure], about: dict[str, str]) -> tuple[list[Figure], dict[str, str]]:
    """These figures after those of an earlier part of the series, if there are any; what each was taken on, too."""
    if not raw:
        return list(figures), about
    earlier, before = from_json(raw)
    words = {key: (before.get(key, ""), about.get(key, "")) for key in (*before, *about)}
    return [*earlier, *figures], {
        key: "; ".join(dict.fromkeys(each for each in pair if each)) for key, pair in words.items()
    }


def replaced(page: str, figures: str) -> str:
    """The page with these figures. Raises ValueError where its marks are gone."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page has no {BEGIN} and {END}")
    return f"{before}{BEGIN}\n{figures}{END}{after}"


def _about(about: dict[str, Any]) -> str:
    return markdown(["taken", "on"], [[key, str(value)] for key, value in about.items()])
