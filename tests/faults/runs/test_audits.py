"""Who ran what from where and how it ended, as the hosts have it on record."""

from __future__ import annotations

import json
import signal
from typing import Any

import pytest

from slipway.facts.audit import AUDIT, MOST_BYTES, RECORD
from tests.faults.runs.hosts import HOSTS, LONG_STEP, Hosts
from tests.project import Project

pytestmark = pytest.mark.hosts

SHORT_STEP = """
import os
from pyinfra.operations import server
server.shell(name="Work", commands=["echo hunter2 >> /root/trace; exit " + os.environ.get("CODE", "0")])
"""

ASKED = """
from slipway.cli.outcome import truthful
from slipway.engine.audit import entry, note
from slipway.engine.session import connected
from slipway.remote import Remote

with truthful(), connected("all") as run:
    remotes = [Remote(run.state.inventory.get_host("worker1"))]
    note(remotes, entry(run, "pause", ["worker1"]), "asked the rollout in progress to wait")
"""
"""What `slipway pause` leaves there, without a rollout to pause."""


def on_record(project: Project, *options: str) -> list[dict[str, Any]]:
    done = project.slipway("audit", "--json", *options)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def test_every_run_is_on_record_on_every_host(project: Project, hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that went well, one that failed, one of plain pyinfra, one that was killed, a word that was left for another;
    from where, and as whom."""
    monkeypatch.setenv("SUDO_USER", "ada")
    project.write("deploy.py", SHORT_STEP)
    assert project.slipway("deploy").returncode == 0
    monkeypatch.setenv("CODE", "7")
    assert project.slipway("deploy", "--limit", "worker1").returncode == 1
    monkeypatch.delenv("CODE")
    assert project.pyinfra("-y", "deploy.py", "--limit", "worker2", "--data", "x_word=hunter2").returncode == 0
    project.write("deploy.py", LONG_STEP)
    killed = project.popen("deploy", "--limit", "worker3")
    hosts.wait_for(lambda: "start" in hosts.written("worker3"), killed)
    (under_way,) = on_record(project, "-n", "1", "--host", "worker3")
    assert (under_way["is_in_progress"], under_way["code"]) == (True, None)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    hosts.go()
    hosts.wait_for(lambda: not hosts.is_locked("worker3"), seconds=30)

    project.write("asked.py", ASKED)
    assert project.python("asked.py").returncode == 0

    found = on_record(project)
    told = {(each["command"], *each["limit"]): (list(each["hosts"]), each["code"], each["how"]) for each in found}
    assert told == {
        ("deploy",): (list(HOSTS), 0, "3 changes"),
        ("deploy", "worker1"): (["worker1"], 1, "stopped in 'Operations of deploy.py'; failed on worker1"),
        ("pyinfra deploy.py", "worker2"): (["worker2"], 0, "1 changes"),
        ("deploy", "worker3"): (["worker3"], None, ""),
        ("pause",): (["worker1"], 0, "asked the rollout in progress to wait"),
    }
    assert {each["who"].partition("@")[0] for each in found} == {"ada"}
    gateway = hosts.lab.address("worker1").rpartition(".")[0] + ".1"
    assert {address for each in found for address in each["hosts"].values()} == {gateway}
    shown = project.slipway("audit")
    assert "did not end" in shown.stdout and "hunter2" not in shown.stdout + shown.stderr
    for host in HOSTS:
        assert hosts.sh(host, 'stat -c "%a %U" "$1"', AUDIT).split() == ["600", "root"]
        assert "hunter2" not in hosts.sh(host, "cat /var/lib/slipway/audit*")


def test_lines_of_many_writers_stay_whole(project: Project, hosts: Hosts) -> None:
    """Twenty at once, while the file is put aside: every line is one of theirs, and at most one file goes."""
    hosts.sh("worker1", 'mkdir -p "${1%/*}"; head -c "$2" /dev/zero | tr "\\0" x > "$1"', AUDIT, str(MOST_BYTES + 1))
    many = f"""
    {RECORD}
    for each in $(seq 20); do
      record "$(printf '{{"id":"%s","command":"x","how":"%02000d"}}' "$each" 0)" &
    done
    wait
    """
    hosts.sh("worker1", many)
    lines = [json.loads(line) for line in hosts.sh("worker1", 'cat "$1"', AUDIT).splitlines()]
    assert sorted(int(line["id"]) for line in lines) == list(range(1, 21))
    assert hosts.sh("worker1", 'stat -c %s "$1.1"', AUDIT).strip() == str(MOST_BYTES + 1)


def test_a_line_that_does_not_fit_is_taken_back(project: Project, hosts: Hosts) -> None:
    """On a disk that is full to the last block: no half line stays, and what stood there stands."""
    script = f"""
    mkdir -p /var/lib/slipway && mount -t tmpfs -o size=8k t /var/lib/slipway
    {RECORD}
    record '{{"id":"first"}}'
    head -c 4090 /dev/zero > /var/lib/slipway/filler
    record "$(printf '%09000d' 0)"; echo "code $?"
    cat /var/lib/slipway/audit.jsonl
    umount /var/lib/slipway
    """
    assert hosts.sh("worker1", script).splitlines() == ["code 1", '{"id":"first"}']
