"""The timer's run and the drill as commands, of a fleet that nobody reaches: nothing of it needs a host."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from slipway.lab.lab import Lab
from tests.listener import CANARY, Listener
from tests.project import ROOT, Project

pytestmark = pytest.mark.tools

NOBODY = 'web = [("web1", {"ssh_hostname": "127.0.0.1", "ssh_port": 1, "address": "127.0.0.1", "ssh_user": "ops"})]\n'
"""Nothing listens on port 1: refused at once."""


@pytest.fixture
def watched(tmp_path: Path, listener: Listener, monkeypatch: pytest.MonkeyPatch) -> Project:
    """One host that does not answer; whoever is told is ours."""
    project = Project(tmp_path, Lab("none"))
    shutil.copy(ROOT / "config.py", tmp_path / "config.py")
    (tmp_path / "textfiles").mkdir()
    settings = {"metrics": str(tmp_path / "textfiles"), "notify": ["hook"], "heartbeat": "pulse"}
    project.write("deploy.py", "")
    project.write("inventories/all.py", NOBODY)
    project.write("group_data/all.py", f'secrets = "env:WATCHED_"\nreconcile = {settings!r}\n')
    monkeypatch.setenv("WATCHED_HOOK", listener.url)
    monkeypatch.setenv("WATCHED_PULSE", f"{listener.url}/pulse")
    return project


def test_the_timers_run_is_told_and_its_heart_is_silent(watched: Project, listener: Listener) -> None:
    """A run that failed leaves report and metrics, tells it once, and names no address."""
    runs = [watched.slipway("reconcile", "--watched", *words) for words in ((), ("--json",))]
    assert [each.returncode for each in runs] == [1, 1]
    assert [(method, path) for method, path, _ in listener.requests] == [("POST", f"/{CANARY}")]
    assert listener.bodies[0]["title"] == "slipway all: 1 new"
    text = (watched.path / "textfiles" / "slipway_reconcile_all.prom").read_text()
    assert 'slipway_reconcile_host_seen{host="web1",inventory="all"} 0.0\n' in text
    written = [path.read_text() for path in (watched.path / ".slipway").rglob("*") if path.is_file()]
    assert len(written) > 6
    assert not any(CANARY in told for told in (text, *written, *(each.stdout + each.stderr for each in runs)))


def test_a_place_that_cannot_be_told_changes_no_exit_code(watched: Project, listener: Listener) -> None:
    """It is a warning beside what the run found."""
    listener.status = 500
    done = watched.slipway("reconcile", "--watched")
    assert done.returncode == 1
    assert "warning: message to hook: it answers 500\n" in done.stderr


def test_a_persons_run_tells_nobody(watched: Project, listener: Listener) -> None:
    """It leaves its report, and that is all: whoever looks is told by looking."""
    done = watched.slipway("reconcile")
    assert done.returncode == 1, done.stderr
    assert listener.requests == []
    assert list((watched.path / "textfiles").iterdir()) == []
    assert f"Report: {watched.path}/.slipway/reconcile/all/" in done.stderr


def test_a_drill_is_tried_by_the_command(watched: Project, listener: Listener) -> None:
    """Every place is told; a place that does not take it is an exit code of 1 and its name."""
    done = watched.slipway("drill")
    assert (done.returncode, done.stderr) == (0, "2 of 2 places told\n")
    listener.status = 503
    done = watched.slipway("drill")
    assert done.returncode == 1
    assert "message to hook: it answers 503" in done.stderr


def test_a_missing_address_is_bad_input(watched: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is asked; a person's run, which tells nobody, does not need it."""
    monkeypatch.delenv("WATCHED_HOOK")
    done = watched.slipway("reconcile", "--watched")
    assert done.returncode == 2
    assert "'hook' is missing" in done.stderr
    assert "reconcile.notify" in done.stderr
