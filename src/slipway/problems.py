"""What is wrong with the input: collected, told all at once, before anything is touched."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from slipway.printable import in_one_line, printable

LONGEST_PLACE, LONGEST_PART = 300, 1500
"""Characters of a place, and of what is said of it: what stands there may be a megabyte that somebody pasted."""

BAD_INPUT = 2
"""Exit code: bad input, nothing touched."""


@dataclass(frozen=True)
class Problem:
    """One finding: where it is, what is wrong, and what to do next."""

    where: str
    what: str
    hint: str = ""

    def __str__(self) -> str:
        line = f"{in_one_line(self.where, LONGEST_PLACE)}: {printable(self.what, LONGEST_PART)}"
        return f"{line}\n  HINT: {printable(self.hint, LONGEST_PART)}" if self.hint else line


class BadInput(Exception):
    """Carries every problem found. Raised before the first connection; ends with exit code 2."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class Problems:
    """A list to add to, in the order of what is looked at. `raise_if_any` ends validation with all of them."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], tuple[str, list[str]]] = {}

    def add(self, where: str, what: str, hint: str = "", host: str = "") -> None:
        """Notes a finding once, with the hint of who tells it first. On several hosts it is one that names them all."""
        _, hosts = self._found.setdefault((where, what), (hint, []))
        if host and host not in hosts:
            hosts.append(host)

    def extend(self, problems: Iterable[Problem], host: str = "") -> None:
        for problem in problems:
            self.add(problem.where.removeprefix(f"{host}: "), problem.what, problem.hint, host)

    def __iter__(self) -> Iterator[Problem]:
        for (where, what), (hint, hosts) in self._found.items():
            yield Problem(f"{named(hosts)}: {where}" if hosts else where, what, hint)

    def __len__(self) -> int:
        return len(self._found)

    def raise_if_any(self) -> None:
        """Raises BadInput where anything was found."""
        if self._found:
            raise BadInput(self)


MOST_NAMED = 8
"""Hosts that a line names; of more it names the first ones and says how many there are."""


def named(hosts: list[str]) -> str:
    """Hosts on one line."""
    if len(hosts) <= MOST_NAMED:
        return ", ".join(hosts)
    return f"{', '.join(hosts[: MOST_NAMED - 1])} and {len(hosts) - MOST_NAMED + 1} more"


def conflict_line(text: str) -> int:
    """The line of the first mark that an unfinished merge left in a file; 0 where there is none."""
    marks = ("<<<<<<< ", ">>>>>>> ", "||||||| ")
    return next((number for number, line in enumerate(text.splitlines(), 1) if line.startswith(marks)), 0)


def nearest(word: str, known: Iterable[str]) -> str:
    """The known name closest to what was typed, or an empty string where none is close."""
    by_lower = {name.lower(): name for name in known}
    close = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[close[0]] if close else ""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint: the nearest name, or else every name that is known."""
    known = sorted(known)
    close = nearest(word, known)
    return f"did you mean {close!r}?" if close else f"known: {', '.join(known) or 'none'}"
