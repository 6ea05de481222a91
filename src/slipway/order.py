"""One order out of several: what each host has seen happen, put together without trusting anybody's clock. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise


def merged(orders: Iterable[Sequence[str]]) -> list[str]:
    """Everything, in the order of whoever knows most; what only others know comes after what it followed there."""
    known = list(orders)
    longest: Sequence[str] = max(known, key=len, default=())
    found = list(longest)
    for order in known:
        for before, each in pairwise(("", *order)):
            if each not in found:
                found.insert(found.index(before) + 1 if before else 0, each)
    return found
