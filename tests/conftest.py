"""Long sweeps on hosts are sampled, and whole on demand: `./slipway test --whole`."""

from __future__ import annotations

import os
import random
from collections import defaultdict
from collections.abc import Iterator

import pytest

from tests.listener import Listener, listening

WHOLE = "SLIPWAY_TEST_WHOLE"
"""Set: every case of every test. `./slipway test --whole` sets it."""

SEED = "SLIPWAY_TEST_SEED"
"""Draws the cases; printed with each run, so that a run can be repeated."""

CASES = 2
"""Cases of one test that a sampled run takes, of both Debian releases and all kinds of damage together."""


@pytest.fixture
def listener() -> Iterator[Listener]:
    """A web server of ours, for what is told of a run."""
    with listening() as one:
        yield one


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_seed] = os.environ.setdefault(SEED, str(random.SystemRandom().randrange(10**6)))


def pytest_report_header(config: pytest.Config) -> str:
    cases = "every case" if os.environ.get(WHOLE) else f"at most {CASES} cases of each test on hosts"
    return f"slipway: {cases}, {SEED}={config.stash[_seed]}"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out cases of tests on hosts beyond the sample. A test that is asked for by its name runs whole."""
    if os.environ.get(WHOLE) or config.option.keyword or any("::" in argument for argument in config.args):
        return
    groups: dict[tuple[str, int], list[pytest.Item]] = defaultdict(list)
    for item in items:
        groups[_group(item)].append(item)
    draw = random.Random(config.stash[_seed])  # noqa: S311 - a draw of lots, not a secret
    left_out = {id(item) for (_, count), cases in groups.items() for item in _left_out(cases, count, draw)}
    config.hook.pytest_deselected(items=[item for item in items if id(item) in left_out])
    items[:] = [item for item in items if id(item) not in left_out]


def _group(item: pytest.Item) -> tuple[str, int]:
    """What the item is drawn together with, and how many of those are taken."""
    marker = item.get_closest_marker("sample")
    return (str(marker.args[0]), int(marker.args[1])) if marker else (item.nodeid.partition("[")[0], CASES)


def _left_out(cases: list[pytest.Item], count: int, draw: random.Random) -> list[pytest.Item]:
    is_on_hosts = any(cases[0].iter_markers("hosts")) or any(cases[0].iter_markers("docker"))
    if not is_on_hosts or len(cases) <= count:
        return []
    return draw.sample(cases, len(cases) - count)


_seed = pytest.StashKey[str]()
