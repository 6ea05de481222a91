"""Holds: what reconcile leaves alone for a while because a person said so, and why. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Literal

Scope = Literal["host", "role", "file"]


@dataclass(frozen=True)
class Hold:
    """One hold on one host, as the host keeps it."""

    id: str
    """The same on every host that it was put on."""
    scope: Scope
    """The whole host, one role on it, or one thing of it (a file's path, or what a plan calls it)."""
    subject: str
    """The role or the thing; empty for the whole host."""
    reason: str
    who: str
    since: str
    """UTC, to the second."""
    until: str
    """UTC, to the second; it ends by itself then."""

    def is_over(self, now: datetime) -> bool:
        """Whether it has ended. One whose end cannot be read never has: a person said so, a person takes it back."""
        try:
            return now >= datetime.fromisoformat(self.until)
        except (ValueError, TypeError):
            return False

    def covers(self, role: str, subject: str) -> bool:
        """Whether a difference of this role about this thing is to be left alone."""
        wanted = {"host": "", "role": role, "file": subject}.get(self.scope)
        return self.subject == wanted

    @property
    def told(self) -> str:
        """What is held, why, by whom and until when, in words."""
        what = {"host": "the whole host", "role": f"role {self.subject}"}.get(self.scope, self.subject)
        return f"{what}, until {self.until}, by {self.who}: {self.reason}"


def standing(holds: Iterable[Hold], now: datetime) -> list[Hold]:
    """Those that have not ended."""
    return [each for each in holds if not each.is_over(now)]


def read(text: str) -> list[Hold]:
    """What a host keeps. Raises ValueError for what is no list of holds."""
    if not text.strip():
        return []
    found = json.loads(text)
    if not isinstance(found, list):
        raise ValueError("no list of holds")
    return [_hold(each) for each in found]


def _hold(told: Any) -> Hold:
    names = [each.name for each in fields(Hold)]
    if not isinstance(told, Mapping) or not all(isinstance(told.get(name), str) for name in names):
        raise ValueError("no hold")
    if told["scope"] not in ("host", "role", "file"):
        raise ValueError(f"no scope: {told['scope']}")
    return Hold(**{name: told[name] for name in names})


def as_text(holds: Iterable[Hold]) -> str:
    """One line, as a host keeps it."""
    return json.dumps([asdict(each) for each in holds], sort_keys=True) + "\n"


_LENGTH = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?")
_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")
LONGEST = timedelta(days=90)
"""A hold that stays for longer is no hold but a setting: it belongs into the data, or among the noise."""


def until(text: str, now: datetime) -> datetime:
    """When a hold ends that is put on at `now`, which has a time zone; the answer is in that zone.

    Takes a length (90m, 2h, 1d12h), a time of day (18:00: the next one), a date (2026-12-24: the end of that day) or
    both (2026-12-24T18:00, a zone may follow). Raises ValueError in words for anything else, and for what is past.
    """
    found = _length(text, now) or _clock(text, now) or _date(text, now) or _moment(text, now)
    if found is None:
        raise ValueError("is no end: write a length (90m, 2h, 1d), a time (18:00), a date (2026-12-24), or both with T")
    if found <= now:
        raise ValueError(f"is past: {found:%Y-%m-%d %H:%M %Z}")
    if found - now > LONGEST:
        raise ValueError(f"is more than {LONGEST.days} days away: what stays that long belongs into the data")
    return found


def _length(text: str, now: datetime) -> datetime | None:
    match = _LENGTH.fullmatch(text)
    if not text or match is None:
        return None
    days, hours, minutes = (int(part or 0) for part in match.groups())
    try:
        return now + timedelta(days=days, hours=hours, minutes=minutes)
    except OverflowError:
        return datetime.max.replace(tzinfo=now.tzinfo)


def _clock(text: str, now: datetime) -> datetime | None:
    match = _CLOCK.fullmatch(text)
    if match is None:
        return None
    today = _at(now.date(), time(int(match[1]), int(match[2])), now)
    return today if today > now else _at(now.date() + timedelta(days=1), today.time(), now)


def _date(text: str, now: datetime) -> datetime | None:
    try:
        return _at(date.fromisoformat(text) + timedelta(days=1), time(), now)
    except (ValueError, OverflowError):
        return None


def _moment(text: str, now: datetime) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else _at(found.date(), found.time(), now)


def _at(day: date, hour: time, now: datetime) -> datetime:
    """That moment in the zone of `now`. Across a change of the clocks the machine's own zone decides."""
    local = datetime.combine(day, hour)
    return local.replace(tzinfo=UTC) if now.tzinfo is UTC else local.astimezone()


def as_utc(moment: datetime) -> str:
    """As holds write it: UTC, to the second."""
    return moment.astimezone(UTC).isoformat(timespec="seconds")
