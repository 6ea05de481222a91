"""A disk that is full to its last block, or read-only, in the middle of a deploy: no file is half, no database is hurt.

What Slipway manages on the house (configuration, state, the servers' data) lies on a small disk for these tests.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.conftest import SEED, WHOLE
from tests.faults.house import House
from tests.faults.sweep import Strike, Sweep

pytestmark = [pytest.mark.hosts, pytest.mark.sample("accidents on the house", 1)]

_SCRIPT = (Path(__file__).parent / "small_disk.sh").read_text(encoding="utf-8")
ROOM = 800
"""Megabytes that are free before the disk is filled: with less the preflight would not let the run begin."""

ROWS = "1000"
IN_PROGRESS = ("/var/lib/slipway/releases/attempt", "/var/lib/slipway/journal.json")
"""What only a run that has not come to its end leaves: neither version has it. The next run reads it."""


@pytest.fixture(scope="module")
def small(sweep: Sweep) -> Iterator[Sweep]:
    """The house on a small disk, with data in its database."""
    sweep.changing()
    sweep.go("A")
    disk(sweep.house, "make", str(ROOM))
    psql(sweep.house, "create table kept as select n, md5(n::text) from generate_series(1, 1000) n")
    yield sweep
    psql(sweep.house, "drop table if exists kept")
    disk(sweep.house, "gone")


def disk(house: House, *words: str) -> None:
    house.told(f"set -- {' '.join(words)}\n{_SCRIPT}")


def psql(house: House, text: str) -> str:
    return house.told(f'cd /; runuser -u postgres -- psql -XAtqw postgres -c "{text}"').strip()


def kept(house: House) -> str:
    """What the database holds of the test's own."""
    return psql(house, "select count(*), count(*) filter (where md5 = md5(n::text)) from kept")


def test_a_disk_that_is_full_hurts_nothing_and_the_next_run_converges(small: Sweep) -> None:
    """Filled at a changing call: said, no managed file half, the data as it was; then room, and all is as wanted."""
    for number in chosen(small):
        house = small.house
        before = contents(small.wanted[small.at])
        done = small.interrupted(Strike("before", number), partial(disk, house, "fill"))
        assert done.returncode == 1 or "No changes" in done.stdout, done.stdout
        assert done.returncode == 0 or "found there now: disk: " in done.stdout, done.stdout
        wanted = contents(small.wanted[small.at])
        torn = {
            path: digest
            for path, digest in contents(small.now()).items()
            if digest not in (before.get(path), wanted.get(path)) and path not in IN_PROGRESS
        }
        assert torn == {}, f"filled before call {number}"
        assert kept(house) == f"{ROWS}|{ROWS}"
        disk(house, "clear")
        assert list(small.finished()) == [], f"filled before call {number}"
        assert kept(house) == f"{ROWS}|{ROWS}"
        print(f"full at call {number}: {done.stdout.splitlines()[-1]}", flush=True)


def chosen(small: Sweep) -> list[int]:
    """Calls at which the disk is full: all that may change something on demand, else one."""
    changing = [call["number"] for call in small.changing()][1:]  # the first is the lock, where nothing is changed yet
    draw = random.Random(os.environ[SEED])  # noqa: S311 - a draw of lots, not a secret
    return changing if os.environ.get(WHOLE) else draw.sample(changing[: len(changing) * 2 // 3], 1)


def contents(lines: list[str]) -> dict[str, str]:
    """Path to content hash of every file that there is."""
    pairs = (line.removeprefix("content: ").split("  ", 1) for line in lines if line.startswith("content: "))
    return {path: digest for digest, path in pairs}


def test_a_read_only_disk_is_told_and_nothing_is_changed(small: Sweep) -> None:
    """One clear error and exit 1; every file is as it was; once it is writable the next run converges."""
    house, before = small.house, contents(small.wanted[small.at])
    small.set_out()
    disk(house, "read-only")
    try:
        done = house.slipway("deploy", "house")
        now = contents(small.now())
    finally:
        disk(house, "writable")
    assert done.returncode == 1
    assert "ead-only" in done.stderr, done.stderr
    assert {path for path in before.keys() | now.keys() if before.get(path) != now.get(path)} == set()
    assert list(small.finished()) == []
