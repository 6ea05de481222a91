"""Operations that have to do with one path only, so that those on paths apart from each other need not wait in turn."""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

_MARK = "slipway_touches"
F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Touch:
    """What an operation asks about, and all that it may change; debts that it writes down are read by no other."""

    path: str
    is_directory: bool = False
    """Whether what lies below the path is no part of it."""

    def goes_after(self, earlier: Touch) -> bool:
        """Whether what it finds is the same before and after the earlier one, and the other way about.

        Of two paths with the same last name nobody knows: directories on the way may be links to one another.
        """
        if posixpath.basename(self.path) == posixpath.basename(earlier.path):
            return False
        is_below = self.path.startswith(f"{earlier.path}/")
        return not earlier.path.startswith(f"{self.path}/") and (earlier.is_directory or not is_below)


def touches_only(parameter: str, is_directory: bool = False) -> Callable[[F], F]:
    """Says of an operation that it reads nothing but the state of the path in this parameter, changes nothing else
    (what it owes besides), and does so by at most one command: many of them may go to the host together."""

    def mark(function: F) -> F:
        setattr(function, _MARK, (parameter, is_directory))
        return function

    return mark


def touch_of(function: Callable[..., Any], arguments: dict[str, Any]) -> Touch | None:
    """What a call of it touches; None where that is not only one path, written in the one way there is."""
    parameter, is_directory = getattr(function, _MARK, ("", False))
    path = arguments.get(parameter)
    is_plain = isinstance(path, str) and path.startswith("/") and posixpath.normpath(path) == path
    return Touch(path, is_directory) if isinstance(path, str) and is_plain and path != "/" else None
