"""Nothing hangs for ever: hosts that fall silent, commands that outlive their limit, sessions that are cut."""

from __future__ import annotations

import re
import signal
import time

import pytest

from tests.faults.runs.hosts import LONG_PROGRAM, LONG_STEP, Hosts
from tests.project import Project

pytestmark = pytest.mark.hosts


@pytest.mark.sample("silent hosts", 1)
def test_a_host_that_accepts_and_says_nothing_is_unreachable(project: Project, hosts: Hosts) -> None:
    """Its sshd is stopped while we connect: named within a minute or so, nothing changed anywhere."""
    hosts.sh("worker2", 'kill -STOP "$(systemctl show --property=MainPID --value ssh)"')
    began = time.monotonic()
    try:
        done = project.slipway("deploy")
    finally:
        hosts.sh("worker2", 'kill -CONT "$(systemctl show --property=MainPID --value ssh)"')
    assert (done.returncode, time.monotonic() - began < 90) == (1, True), done.stderr
    assert "worker2" in done.stderr.partition("nothing was changed anywhere")[2], done.stderr


def test_a_black_hole_in_a_step_is_told_and_leaves_the_lock(project: Project, hosts: Hosts) -> None:
    """The session's sshd is stopped: the run ends within a minute, says in which step on which host and what still
    runs there; the next run waits for that and then does its work, and nothing overlaps."""
    project.write("deploy.py", LONG_STEP)
    project.inventory(web=["worker1"])
    first = project.popen("deploy")
    hosts.wait_for(lambda: hosts.written("worker1"), first)
    assert hosts.signal_sessions("worker1", "STOP") > 0
    began = time.monotonic()
    _, errors = first.communicate(timeout=90)
    assert (first.returncode, time.monotonic() - began < 80) == (1, True), errors
    assert "worker1: Take long: " in errors, errors
    assert "the host has said nothing for 20 s" in errors
    assert re.search(f"still at work there: {LONG_PROGRAM}", errors), errors
    assert not hosts.is_locked("worker1")
    second = project.popen("deploy")
    hosts.wait_for(lambda: hosts.is_locked("worker1"), second)
    time.sleep(2)  # it would have begun by now
    assert hosts.written("worker1") == ["start"]
    hosts.go()
    _, errors = second.communicate(timeout=60)
    hosts.signal_sessions("worker1", "KILL")
    assert second.returncode == 0, errors
    assert re.search(f"worker1: waiting for what an earlier run has left at work there: {LONG_PROGRAM}", errors), errors
    assert hosts.written("worker1") == ["start", "end", "start", "end", "later"]


@pytest.mark.sample("silent hosts", 1)
def test_a_black_hole_while_waiting_for_the_lock(project: Project, hosts: Hosts) -> None:
    """It falls silent before it has said whether the lock is ours: exit 1 within half a minute, host and reason."""
    project.write("deploy.py", LONG_STEP)
    project.inventory(web=["worker1"])
    dead = project.popen("deploy")
    hosts.wait_for(lambda: hosts.written("worker1"), dead)
    dead.send_signal(signal.SIGKILL)
    dead.communicate()
    waiting = project.popen("deploy")
    hosts.wait_for(lambda: hosts.is_locked("worker1"), waiting)
    hosts.signal_sessions("worker1", "STOP")
    _, errors = waiting.communicate(timeout=60)
    assert waiting.returncode == 1
    assert "worker1: the lock could not be taken: the host has said nothing for 20 s" in errors, errors
    # Whoever waits there in its name must not hold the lock for ever, deaf: its lease is over too.
    hosts.wait_for(lambda: not hosts.is_locked("worker1"), seconds=40)
    hosts.signal_sessions("worker1", "KILL")
    hosts.go()


def test_a_command_past_its_limit_is_told_with_what_it_left(project: Project, hosts: Hosts) -> None:
    """The host ends it; what has run away from it (a process in a session of its own) is named."""
    project.write(
        "deploy.py",
        """
        from pyinfra.operations import server
        server.shell(name="Sleep", commands=["setsid sleep 61 & sleep 62"], _timeout=2)
        """,
    )
    project.inventory(web=["worker1"])
    done = project.slipway("deploy")
    assert done.returncode == 1
    assert "worker1: Sleep: timed out after 2 s; still at work there: sleep (pid " in done.stderr, done.stderr


def test_the_last_words_of_a_command_are_heard_out(project: Project, hosts: Hosts) -> None:
    """What comes after its exit code is not lost, as long as something comes: a slow link is no end."""
    project.write(
        "deploy.py",
        """
        from pyinfra.operations import server
        server.shell(name="Tell", commands=["(for n in 1 2 3; do sleep 3; echo said-$n; done) & exit 7"])
        """,
    )
    project.inventory(web=["worker1"])
    done = project.slipway("deploy")
    assert done.returncode == 1
    assert "worker1: Tell: said-1\nsaid-2\nsaid-3\n" in done.stderr, done.stderr


def test_a_session_that_is_cut_in_a_step_is_no_success(project: Project, hosts: Hosts) -> None:
    """The sshd of the session is killed: how the step ended is not known, it says so, and nothing follows it."""
    project.write("deploy.py", LONG_STEP)
    project.inventory(web=["worker1"])
    running = project.popen("deploy")
    hosts.wait_for(lambda: hosts.written("worker1"), running)
    hosts.signal_sessions("worker1", "KILL")
    _, errors = running.communicate(timeout=60)
    hosts.go()
    assert running.returncode == 1
    assert "worker1: Take long: " in errors, errors
    assert re.search(f"how it ended is not known; still at work there: {LONG_PROGRAM}", errors), errors
    hosts.wait_for(lambda: hosts.written("worker1")[-1:] == ["end"])
    assert hosts.written("worker1") == ["start", "end"]


@pytest.mark.sample("interrupted", 1)
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_says_what_is_not_done(project: Project, hosts: Hosts, number: int, code: int) -> None:
    """What is in hand and what would have followed, for each host; and the audit has it."""
    project.write("deploy.py", LONG_STEP)
    project.inventory(web=["worker1"])
    running = project.popen("deploy")
    hosts.wait_for(lambda: hosts.written("worker1"), running)
    running.send_signal(number)
    _, errors = running.communicate(timeout=60)
    hosts.go()
    assert running.returncode == code
    assert "worker1: not done: Take long, Go on" in errors, errors
    assert f'"code": {code}' in hosts.sh("worker1", "tail -n 1 /var/lib/slipway/audit.jsonl")
