"""A bench of one host and one run each: who is measured has done the work, and the hosts say so."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from slipway.bench.contestants import FLOOR, PYINFRA, SLIPWAY, Start
from slipway.bench.results import BY_HAND, NO_OP
from slipway.bench.series import NotDone, Plan, Series
from slipway.bench.state import by_hand_words, differences, look_words, read_look
from slipway.lab.light import LightHosts

pytestmark = pytest.mark.hosts


@pytest.fixture(scope="module")
def light() -> Iterator[LightHosts]:
    hosts = LightHosts("test-bench")
    yield hosts
    hosts.down()


@pytest.fixture(scope="module")
def bench(light: LightHosts, tmp_path_factory: pytest.TempPathFactory) -> Series:
    """A series that has run: one host, directly, once."""
    until = time.monotonic() + 600  # far away: nothing is left out
    plan = Plan((1,), (0,), {NO_OP: 1}, (FLOOR, SLIPWAY, PYINFRA), 600, until)
    series = Series(light, plan, tmp_path_factory.mktemp("bench"), None, print)
    series.run()
    return series


def test_a_tiny_bench_mends_measures_and_counts(bench: Series) -> None:
    """Everybody who deploys has mended what was changed by hand; the floor has come in once."""
    taken = {(each.contestant, each.scenario): each for each in bench.figures}
    assert set(taken) == {(FLOOR, NO_OP), *((who, what) for who in (SLIPWAY, PYINFRA) for what in (BY_HAND, NO_OP))}
    assert taken[FLOOR, NO_OP].sessions == 1
    assert 1 < taken[SLIPWAY, NO_OP].sessions < taken[PYINFRA, NO_OP].sessions
    assert all(each.wall > 0 and each.cpu > 0 and each.peak_mib > 1 for each in bench.figures)


def test_the_host_tells_what_hands_have_done(bench: Series, light: LightHosts) -> None:
    """As wanted after the bench; then one of each kind is found, and nothing else."""
    assert differences("light1", read_look(light.exec("light1", look_words())).state) == []
    light.exec("light1", by_hand_words())
    found = differences("light1", read_look(light.exec("light1", look_words())).state)
    assert sorted(each.partition(":")[0] for each in found) == [
        "path /etc/bench/limits.conf", "path /etc/bench/old.conf", "path /etc/bench/sites/site01.conf",
        "path /srv/bench/current", "path /srv/bench/shared", "user ada",
    ]  # fmt: skip


def test_who_does_not_do_the_work_gets_no_figure(
    bench: Series, light: LightHosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A contestant that ends well and has left a host other than wanted ends the series."""
    light.exec("light1", ["rm", "-f", "/etc/bench/limits.conf"])
    monkeypatch.setattr("slipway.bench.series.start_of", lambda *who: Start(["true"]))
    before = len(bench.figures)
    with pytest.raises(NotDone, match=r"light1: path /etc/bench/limits\.conf: is missing"):
        bench.run()
    assert len(bench.figures) == before
