"""hold: what is refused before any connection, in words that say what to write."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.wrong_project import wrong_project


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--until", "2h"], "--reason: is missing"),
        (["--until", "2h", "--reason", "two\nlines"], "--reason: is not one line"),
        (["--reason", "r"], "--until: is missing"),
        (["--reason", "r", "--until", "soon"], "--until soon: is no end"),
        (["--reason", "r", "--until", "2020-01-01"], "--until 2020-01-01: is past"),
    ],
)
def test_a_hold_says_why_and_until_when(tmp_path: Path, words: list[str], told: str) -> None:
    """Exit 2, at once: the hosts of this inventory would never answer."""
    done = wrong_project(tmp_path).run("-m", "slipway", "hold", "fleet", "redis", *words)
    assert done.returncode == 2, done.stderr
    assert told in done.stderr
