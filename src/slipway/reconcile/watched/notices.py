"""What is told to people, and when: only where something began or ended since they were told last. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from slipway.printable import in_one_line

MOST_LISTED = 8
"""Lines of one section of a message: a chat cuts long ones, and the page has them all."""
LONGEST_LINE = 160
"""Characters of one line: eight of them in three sections stay below the 4,000 that most chats take."""

URGENT = ("failed", "unseen")
"""Kinds of concern that mean that the fleet, or a part of it, is not looked after."""

# What a chat takes for a call to everybody, or for markup. A file's name on a host may hold it.
_CALLS = re.compile(r"@(?=everyone|here|channel|all\b|room)|<(?=[!@#&])")


@dataclass(frozen=True)
class Concern:
    """One thing that somebody has to know of while it lasts."""

    kind: str
    """drift, owed, unseen, failed or held."""
    host: str
    """Empty where it is the whole fleet's."""
    subject: str = ""
    what: str = ""

    @property
    def key(self) -> str:
        """What tells it from any other: its words may change while it is the same."""
        return "\0".join((self.kind, self.host, self.subject))

    @property
    def line(self) -> str:
        named = " ".join(part for part in (self.host, self.kind, self.subject) if part)
        return readable(f"{named}: {self.what}" if self.what else named)


@dataclass(frozen=True)
class Seen:
    """What one run saw."""

    inventory: str
    concerns: tuple[Concern, ...] = ()
    mended: tuple[Concern, ...] = ()
    """What differed and was put right by this run."""
    not_looked_at: frozenset[str] = frozenset()
    """Hosts of which it saw nothing: what was wrong there is still what is known of them."""
    saw_nothing: bool = False
    """It yielded to another run, or stopped before it looked: nothing is known anew of any host."""


@dataclass(frozen=True)
class Told:
    """What somebody was told last: a concern's key to its line."""

    concerns: Mapping[str, str] = field(default_factory=dict)
    mended: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Notice:
    """A message: what began, what ended, what was put right and what lasts."""

    inventory: str
    began: tuple[str, ...]
    ended: tuple[str, ...]
    mended: tuple[str, ...]
    lasts: tuple[str, ...]
    is_urgent: bool

    @property
    def title(self) -> str:
        counts = {"new": self.began, "over": self.ended, "put right": self.mended, "still open": self.lasts}
        told = ", ".join(f"{len(lines)} {words}" for words, lines in counts.items() if lines)
        return f"slipway {readable(self.inventory)}: {told if self.began or self.lasts or self.mended else 'all clear'}"

    @property
    def body(self) -> str:
        sections = {"New": self.began, "Over": self.ended, "Put right": self.mended, "Still open": self.lasts}
        return "\n".join(_section(title, lines) for title, lines in sections.items() if lines)


def notice_of(told: Told, seen: Seen) -> tuple[Notice | None, Told]:
    """The message for somebody who was told that last, None where nothing changed; and what they know then."""
    now = {concern.key: concern for concern in seen.concerns}
    kept = {key: line for key, line in told.concerns.items() if key not in now and _is_unknown(key, seen)}
    mended = {concern.key: concern.line for concern in seen.mended}
    began = [concern for key, concern in now.items() if key not in told.concerns]
    ended = [line for key, line in told.concerns.items() if key not in now and key not in kept]
    put_right = [line for key, line in mended.items() if key not in told.mended]
    knows = Told({**kept, **{key: concern.line for key, concern in now.items()}}, _still(told, mended, seen))
    if not (began or ended or put_right):
        return None, knows
    lasts = [line for key, line in knows.concerns.items() if key in told.concerns]
    urgent = any(concern.kind in URGENT for concern in began)
    lines = (tuple(concern.line for concern in began), tuple(ended), tuple(put_right), tuple(lasts))
    return Notice(seen.inventory, *lines, urgent), knows


def _still(told: Told, mended: Mapping[str, str], seen: Seen) -> dict[str, str]:
    """What is put right at every run is told once, until there was a run that had not to."""
    return {**{key: line for key, line in told.mended.items() if _is_unknown(key, seen)}, **mended}


def _is_unknown(key: str, seen: Seen) -> bool:
    """Whether this run could not tell if the concern is over."""
    _, host, _ = key.split("\0", 2)
    return seen.saw_nothing or host in seen.not_looked_at


def readable(text: str, longest: int = LONGEST_LINE) -> str:
    """The text on one line of a chat: nothing in it steers a terminal, calls everybody or is taken for markup."""
    return _CALLS.sub(lambda match: f"{match[0]}\u200b", in_one_line(text, longest))


def _section(title: str, lines: Collection[str]) -> str:
    return "\n".join([f"{title}:", *(f"- {line}" for line in _first(lines))])


def _first(lines: Collection[str]) -> Iterable[str]:
    yield from list(lines)[:MOST_LISTED]
    if len(lines) > MOST_LISTED:
        yield f"and {len(lines) - MOST_LISTED} more"
