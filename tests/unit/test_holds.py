"""Holds: what they cover, when they end, and that what a host keeps is read strictly."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from slipway.holds import Hold, as_text, as_utc, read, standing, until

NOW = datetime(2026, 11, 20, 17, 30, tzinfo=UTC)
HOLD = Hold("ab12", "role", "nginx", "we look at it", "ada@ops1", as_utc(NOW), "2026-11-20T18:00:00+00:00")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("18:00", "2026-11-20T18:00:00+00:00"),
        ("17:30", "2026-11-21T17:30:00+00:00"),
        ("9:05", "2026-11-21T09:05:00+00:00"),
        ("2h", "2026-11-20T19:30:00+00:00"),
        ("1d12h30m", "2026-11-22T06:00:00+00:00"),
        ("2026-11-24", "2026-11-25T00:00:00+00:00"),
        ("2026-11-24T06:00", "2026-11-24T06:00:00+00:00"),
        ("2026-11-24T06:00+02:00", "2026-11-24T04:00:00+00:00"),
    ],
)
def test_an_end_is_a_length_a_time_a_date_or_both(text: str, wanted: str) -> None:
    """A time that is over today is tomorrow's; a date is held to the end of that day."""
    assert as_utc(until(text, NOW)) == wanted


@pytest.mark.parametrize("text", ["", "soon", "0h", "24:00", "18", "2026-11-19", "2027-11-20", "999999999d", "-2h"])
def test_what_is_no_end_is_refused(text: str) -> None:
    """Nothing, what is past, and what is so far away that it is no hold any more."""
    with pytest.raises(ValueError, match=r"is (no end|past|more than)"):
        until(text, NOW)


def test_a_hold_ends_by_itself() -> None:
    """It stands to the second before its end, and not from its end on."""
    end = datetime.fromisoformat(HOLD.until)
    assert standing([HOLD], end - timedelta(seconds=1)) == [HOLD]
    assert standing([HOLD], end) == []


def test_a_hold_whose_end_nobody_can_read_stands() -> None:
    """Somebody has edited it by hand: a person takes it back."""
    for odd in ("tomorrow", "", "2026-11-20T18:00:00"):
        stays = replace(HOLD, until=odd)
        assert standing([stays], NOW + timedelta(days=400)) == [stays], odd


def test_what_a_host_keeps_is_read_as_it_was_written() -> None:
    """One line; nothing at all is no hold."""
    assert read(as_text([HOLD])) == [HOLD]
    assert as_text([HOLD]).count("\n") == 1
    assert read("") == []


@pytest.mark.parametrize("text", ["{", "{}", "[1]", '[{"id": "a"}]', as_text([HOLD]).replace('"role"', '"world"', 1)])
def test_what_is_no_list_of_holds_is_refused(text: str) -> None:
    """Could not tell is never no hold."""
    with pytest.raises(ValueError):
        read(text)
