"""The timer's run on real hosts: what it leaves for Prometheus, for people and for whoever waits for its heartbeat."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from slipway.lab.lab import Lab
from tests.listener import CANARY, Listener
from tests.project import Project
from tests.reconcile.prometheus import alerts

pytestmark = pytest.mark.hosts

HOSTS = ("worker1", "worker2")


@pytest.fixture
def watched(project: Project, listener: Listener, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Two hosts; whatever it writes and whoever it tells is ours."""
    project.inventory(web=list(HOSTS))
    (project.path / "textfiles").mkdir()
    settings = {"metrics": str(project.path / "textfiles"), "notify": ["hook"], "heartbeat": "pulse"}
    project.write("group_data/all.py", f'secrets = "env:WATCHED_"\nreconcile = {settings!r}\n')
    monkeypatch.setenv("WATCHED_HOOK", listener.url)
    monkeypatch.setenv("WATCHED_PULSE", f"{listener.url}/pulse")
    return project


@contextmanager
def key_revoked(lab: Lab) -> Iterator[None]:
    """Nobody with the lab's key comes in meanwhile."""
    keys = "/home/ops/.ssh/authorized_keys"
    for name in HOSTS:
        lab.exec(name, ["mv", keys, f"{keys}.revoked"])
    try:
        yield
    finally:
        for name in HOSTS:
            lab.exec(name, ["mv", f"{keys}.revoked", keys])


def test_a_revoked_key_is_told_and_raises_its_alert(
    watched: Project, bare_lab: Lab, listener: Listener, tmp_path: Path
) -> None:
    """A calm run beats and says nothing; a run that no host lets in is silent, told once, and told as over."""
    [metrics] = [watched.path / "textfiles" / "slipway_reconcile_all.prom"]

    done = watched.slipway("reconcile", "--watched")
    assert (done.returncode, "warning" in done.stderr) == (0, False), done.stderr
    assert [method for method, _, _ in listener.requests] == ["GET"]
    calm = metrics.read_text()

    with key_revoked(bare_lab):
        outputs = [watched.slipway("reconcile", "--watched") for _ in range(2)]
    assert [each.returncode for each in outputs] == [1, 1]
    [told] = listener.bodies
    assert [line.partition(":")[0] for line in told["new"]] == ["worker1 unseen", "worker2 unseen"]
    alarm = metrics.read_text()

    done = watched.slipway("reconcile", "--watched")
    assert done.returncode == 0, done.stderr
    assert listener.bodies[-1]["title"] == "slipway all: all clear"
    assert [method for method, _, _ in listener.requests].count("GET") == 2

    # Judged for what it saw: its times are today's, and promtool's clock begins in 1970.
    seen = {"calm": _without_times(calm), "alarm": _without_times(alarm)}
    verdict = alerts(
        lambda minute: seen["calm" if minute < 15 else "alarm"], {14: [], 16: ["SlipwayNoHostSeen"]}, tmp_path
    )
    assert verdict.wrong == ""

    reports = watched.path / ".slipway/reconcile/all"
    assert sorted(path.name[17:] for path in reports.glob("2*.html")) == ["clean.html"] * 2 + ["failed.html"] * 2
    everything = [done.stdout + done.stderr, *(each.stdout + each.stderr for each in outputs)]
    everything += [path.read_text() for path in reports.rglob("*") if path.is_file()]
    assert not any(CANARY in text for text in everything)


def _without_times(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if "timestamp_seconds" not in line) + "\n"
