"""One run per host at a time, whatever becomes of the others: started together, stopped and woken, partly refused."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from slipway.engine.lock import SILENCE_SECONDS
from slipway.seam.connection import WORK
from tests.faults.runs.hosts import HOSTS, LONG_STEP, Hosts
from tests.project import ROOT, Project

pytestmark = pytest.mark.hosts

CONTROLLERS, ROUNDS = 10, 20


@pytest.mark.sample("ten at once", 2)
@pytest.mark.parametrize("number", range(ROUNDS))
def test_of_ten_controllers_exactly_one_proceeds(project: Project, hosts: Hosts, tmp_path: Path, number: int) -> None:
    """The other nine end with 75, name it, and have changed nothing; nobody but the winner is on record."""
    project.write("deploy.py", LONG_STEP)
    said = tmp_path / "said"
    said.mkdir()
    words = [sys.executable, "-m", "tests.faults.runs.at_once", str(CONTROLLERS), str(said)]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "PYINFRA_PROGRESS": "off", "COLUMNS": "160"}
    together = subprocess.Popen(words, cwd=project.path, env=environment, text=True, stdout=subprocess.PIPE)
    try:
        hosts.wait_for(lambda: sum(_is_refused(file) for file in said.glob("*.txt")) >= CONTROLLERS - 1, together, 120)
    finally:
        hosts.go()
    ended = json.loads(together.communicate(timeout=60)[0])
    texts = [(said / f"{each}.txt").read_text() for each in range(CONTROLLERS)]
    assert sorted(code for _, code in ended) == [0] + [75] * (CONTROLLERS - 1), texts
    winner = next(pid for pid, code in ended if code == 0)
    for (_, code), text in zip(ended, texts, strict=True):
        assert code == 0 or f"pid {winner})" in text, text
    assert [hosts.written(host) for host in HOSTS] == [["start", "end", "later"]] * 3
    assert len(hosts.sh("worker1", "grep command /var/lib/slipway/audit.jsonl").splitlines()) == 1


def _is_refused(file: Path) -> bool:
    return "has held the lock since" in file.read_text()


MARKS = """
from pyinfra.operations import server
server.shell(name="Mark", commands=["echo first >> /root/trace; sleep 0.3"] * 200)
"""
OTHER_MARKS = """
from pyinfra.operations import server
mark = "until test -e /root/trace-go; do echo second >> /root/trace; sleep 0.3; done"
server.shell(name="Mark", commands=[mark, "echo second >> /root/trace"])
"""


def test_a_holder_that_was_asleep_changes_nothing_more(project: Project, hosts: Hosts) -> None:
    """SIGSTOP past the lease, SIGCONT while another run is at work: marks never interleave, the sleeper exits 1."""
    project.write("deploy.py", MARKS)
    project.inventory(web=["worker1"])
    first = project.popen("deploy")
    hosts.wait_for(lambda: len(hosts.written("worker1")) >= 3, first)
    with _asleep(first):
        # Its lease is 15 s from its last beat; it frees itself, nobody unlocks.
        hosts.wait_for(lambda: not hosts.is_locked("worker1"), seconds=40)
        project.write("deploy.py", OTHER_MARKS)
        second = project.popen("deploy")
        hosts.wait_for(lambda: hosts.written("worker1").count("second") >= 3, second)
    _, errors = first.communicate(timeout=60)
    hosts.go()
    assert (first.returncode, second.wait(60)) == (1, 0), errors
    assert "worker1: this run has lost its lock there" in errors, errors
    marks = hosts.written("worker1")
    assert marks == sorted(marks), marks


@contextmanager
def _asleep(running: subprocess.Popen[str]) -> Iterator[None]:
    running.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        running.send_signal(signal.SIGCONT)


@pytest.mark.sample("somebody else has the lock", 2)
def test_a_run_that_one_of_three_hosts_refuses_gives_all_back(project: Project, hosts: Hosts) -> None:
    """The lock of the third host is somebody else's: nothing is changed, and the first two are free at once."""
    project.write("deploy.py", LONG_STEP)
    holder = project.popen("deploy", "--limit", "worker3")
    hosts.wait_for(lambda: hosts.written("worker3"), holder)
    refused = project.slipway("deploy")
    assert (refused.returncode, "worker3: " in refused.stderr) == (75, True), refused.stderr
    assert [hosts.is_locked(host) for host in HOSTS] == [False, False, True]
    assert [hosts.written(host) for host in HOSTS] == [[], [], ["start"]]
    assert hosts.sh("worker1", "cat /var/lib/slipway/audit.jsonl 2>/dev/null") == ""
    hosts.go()
    assert project.slipway("deploy", "--limit", "worker1").returncode == 0
    assert holder.wait(60) == 0


AT_REST = f"setsid flock --shared {WORK} sleep 19 > /dev/null 2>&1 < /dev/null &"


@pytest.mark.sample("somebody else has the lock", 2)
def test_hosts_whose_turn_comes_late_are_still_there(project: Project, hosts: Hosts) -> None:
    """The first host waits for what a dead run left at work, longer than a holder may be silent; the others for it."""
    project.write("deploy.py", LONG_STEP)
    hosts.go()
    hosts.sh("worker1", AT_REST)
    began = time.monotonic()
    done = project.slipway("deploy")
    assert (done.returncode, "waiting for what an earlier run has left at work there" in done.stderr) == (0, True), done
    assert time.monotonic() - began > SILENCE_SECONDS
    assert [hosts.written(host) for host in HOSTS] == [["start", "end", "later"]] * 3


@pytest.mark.sample("somebody else has the lock", 2)
def test_a_run_that_waits_says_for_whom_and_goes_on(project: Project, hosts: Hosts) -> None:
    """`--wait`: once for each holder; when the lock is free it is its turn. When the time is over: 75."""
    project.write("deploy.py", LONG_STEP)
    project.inventory(web=["worker1"])
    holder = project.popen("deploy")
    hosts.wait_for(lambda: hosts.written("worker1"), holder)
    began = time.monotonic()
    assert project.slipway("deploy", "--wait", "3").returncode == 75
    assert time.monotonic() - began >= 3
    patient = project.popen("deploy", "--wait", "100")
    time.sleep(6)  # long enough for more than one look at the lock
    hosts.go()
    _, errors = patient.communicate(timeout=60)
    assert (holder.wait(60), patient.returncode) == (0, 0), errors
    assert len(re.findall(rf"has held the lock since .* pid {holder.pid}\); waiting for at most", errors)) == 1, errors
    assert hosts.written("worker1") == ["start", "end", "later"] * 2


SCHEDULED = """
from slipway.cli.outcome import truthful
from slipway.engine.lock import SCHEDULE
from slipway.engine.session import connected, deploy

with truthful(), connected("all") as run:
    deploy(run, doing="reconcile", wait=600, by=SCHEDULE)
"""


@pytest.mark.sample("somebody else has the lock", 2)
def test_a_run_on_a_schedule_yields(project: Project, hosts: Hosts) -> None:
    """It does not wait for a person's run but ends with 75 at once; a person is told that it is one on a schedule."""
    project.write("deploy.py", LONG_STEP)
    project.inventory(web=["worker1"])
    project.write("scheduled.py", SCHEDULED)
    person = project.popen("deploy")
    hosts.wait_for(lambda: hosts.written("worker1"), person)
    began = time.monotonic()
    yields = project.python("scheduled.py")
    assert (yields.returncode, time.monotonic() - began < 60) == (75, True), yields.stderr
    hosts.go()
    assert person.wait(60) == 0
    hosts.sh("worker1", "rm /root/trace*")
    scheduled = project.popen_python("scheduled.py")
    hosts.wait_for(lambda: hosts.written("worker1"), scheduled)
    refused = project.slipway("deploy")
    hosts.go()
    assert scheduled.wait(60) == 0
    assert (refused.returncode, "on a schedule" in refused.stderr) == (75, True), refused.stderr


def test_a_cleared_run_directory_stops_the_run(project: Project, hosts: Hosts) -> None:
    """/run/slipway is gone, as after a clean-up that went too far: nothing further is begun, and it is said."""
    project.write("deploy.py", LONG_STEP)
    project.inventory(web=["worker1"])
    running = project.popen("deploy")
    hosts.wait_for(lambda: hosts.written("worker1"), running)
    hosts.sh("worker1", "rm -rf /run/slipway")
    hosts.go()
    _, errors = running.communicate(timeout=60)
    assert running.returncode == 1
    assert "has lost its lock there: nobody holds it now (it was silent for too long, or /run was cleared)" in errors
    assert hosts.written("worker1") == ["start", "end"]
    assert project.slipway("deploy").returncode == 0


FULL = 'mkdir -p "$1"; mount -t tmpfs -o size=4k t "$1"; head -c 4096 /dev/zero > "$1/filler"'
READ_ONLY = 'mkdir -p "$1"; mount -t tmpfs -o ro t "$1"'


@pytest.mark.parametrize("directory", ["/run/slipway", "/var/lib/slipway"])
@pytest.mark.parametrize("damage", [FULL, READ_ONLY], ids=["full", "read-only"])
def test_a_host_that_cannot_note_the_lock_is_left_as_it_is(
    project: Project, hosts: Hosts, damage: str, directory: str
) -> None:
    """Full, or read-only: exit 1, which host and which directory, no change on any host."""
    project.write("deploy.py", LONG_STEP)
    hosts.sh("worker2", damage, directory)
    try:
        done = project.slipway("deploy")
    finally:
        hosts.sh("worker2", 'umount "$1"', directory)
    assert done.returncode == 1, done.stderr
    told = next(line for line in done.stderr.splitlines() if line.startswith("worker2: "))
    assert f"cannot write {directory}" in told or f"'{directory}/audit.jsonl'" in told, told
    assert "Traceback" not in done.stderr
    assert [hosts.written(host) for host in HOSTS] == [[], [], []]
    assert not any(hosts.is_locked(host) for host in HOSTS)
