"""pyinfra's traps, each tried on real hosts through plain pyinfra: what would go wrong there goes right here."""

from __future__ import annotations

import re
import signal
import subprocess
import time

import pytest

from slipway.lab.lab import Lab
from tests.project import Project

pytestmark = pytest.mark.hosts


def written(lab: Lab, host: str, path: str = "/root/trace") -> list[str]:
    return lab.exec(host, ["sh", "-c", f"cat {path} 2>/dev/null"]).stdout.split()


@pytest.fixture(autouse=True)
def no_traces(bare_lab: Lab) -> None:
    for host in ("worker1", "worker2", "worker3"):
        bare_lab.exec(host, ["sh", "-c", "rm -f /root/trace*"])


def test_operations_of_two_roles_on_one_line_stay_two(project: Project, bare_lab: Lab) -> None:
    """Trap 1: same line numbers in two files are two operations, each run on its own hosts."""
    role = """
        from pyinfra.operations import server
        def go():
            server.shell(name="{0}", commands=["echo {0} >> /root/trace"])
    """
    project.write("one.py", role.format("one"))
    project.write("two.py", role.format("two"))
    project.write(
        "deploy.py",
        """
        import one, two
        from pyinfra import host
        (one if host.name == "worker1" else two).go()
        """,
    )
    done = project.pyinfra("-y", "deploy.py")
    assert done.returncode == 0, done.stderr
    assert [written(bare_lab, name) for name in ("worker1", "worker2")] == [["one"], ["two"]]
    assert "worker1  one: changed" in done.stderr and "worker2  two: changed" in done.stderr


def test_a_serial_operation_stops_at_the_first_host_that_fails(project: Project, bare_lab: Lab) -> None:
    """Trap 2: `_serial` goes host by host and leaves the rest alone once one failed; exit 1."""
    project.write(
        "deploy.py",
        """
        from pyinfra import host
        from pyinfra.operations import server
        fails = "; exit 1" if host.name == "worker2" else ""
        server.shell(name="Restart", commands=[f"echo restarted >> /root/trace{fails}"], _serial=True)
        """,
    )
    done = project.pyinfra("-y", "deploy.py")
    assert done.returncode == 1
    assert [written(bare_lab, name) for name in ("worker1", "worker2", "worker3")] == [["restarted"], ["restarted"], []]
    assert "worker3" in done.stderr.split("not touched there:")[1]


def test_run_once_runs_on_the_first_host_and_its_failure_stops_the_run(project: Project, bare_lab: Lab) -> None:
    """Trap 3: `_run_once` is the first host as written, every time; where it fails nothing after it runs."""
    project.write(
        "deploy.py",
        """
        from pyinfra.operations import server
        server.shell(name="Migrate", commands=["echo migrated >> /root/trace; exit 1"], _run_once=True)
        server.shell(name="Restart", commands=["echo restarted >> /root/trace"])
        """,
    )
    done = project.pyinfra("-y", "deploy.py")
    assert done.returncode == 1
    assert [written(bare_lab, name) for name in ("worker1", "worker2", "worker3")] == [["migrated"], [], []]


def test_hosts_come_in_the_order_of_the_inventory(project: Project, bare_lab: Lab) -> None:
    """Trap 4: a serial operation takes the hosts as the inventory is written, also where that is no sorted order."""
    project.inventory(web=["worker3", "worker1", "worker2"])
    project.write(
        "deploy.py",
        """
        from pyinfra.operations import server
        server.shell(name="Step", commands=["true"], _serial=True)
        """,
    )
    done = project.pyinfra("-y", "deploy.py")
    assert re.findall(r"(worker\d)  Step: changed", done.stderr) == ["worker3", "worker1", "worker2"]


def test_a_dry_run_with_changes_exits_3_and_without_exits_0(project: Project, bare_lab: Lab) -> None:
    """Trap 5: `--dry` tells by its exit code whether anything would change."""
    project.write(
        "deploy.py",
        """
        from slipway.ops import files
        files.put(name="Write trace", path="/root/trace", content="x")
        """,
    )
    assert project.pyinfra("--dry", "deploy.py").returncode == 3
    assert project.pyinfra("-y", "deploy.py").returncode == 0
    again = project.pyinfra("--dry", "deploy.py")
    assert again.returncode == 0
    assert "no changes" in again.stderr


def test_a_limit_that_names_nobody_is_refused(project: Project) -> None:
    """Trap 5: a typo in --limit ends with exit 2 and the nearest name, not with a run over nobody."""
    done = project.pyinfra("-y", "deploy.py", "--limit", "wrker2")
    assert done.returncode == 2
    assert "did you mean 'worker2'?" in done.stderr
    assert "Connected" not in done.stderr


def test_a_fact_that_fails_makes_the_fact_command_fail(project: Project) -> None:
    """Trap 5: `pyinfra ... fact` exits 1 where a host could not answer."""
    assert project.pyinfra("fact", "server.Hostname").returncode == 0
    project.write(
        "broken.py",
        """
        from pyinfra.api import FactBase
        class Broken(FactBase):
            command = "exit 7"
        """,
    )
    done = project.pyinfra("fact", "broken.Broken")
    assert done.returncode == 1
    assert "could not read" in done.stderr


def test_unreachable_hosts_stop_the_run_before_any_change(project: Project, bare_lab: Lab) -> None:
    """Trap 5: with -y, a host that does not answer is named and nothing is deployed anywhere."""
    text = (project.path / "inventories/all.py").read_text()
    # An address of the lab's own network at which nobody is.
    project.write("inventories/all.py", text.replace(bare_lab.address("worker3"), bare_lab.address("cache1")))
    project.write(
        "deploy.py",
        """
        from pyinfra.operations import server
        server.shell(name="Touch", commands=["echo x >> /root/trace"])
        """,
    )
    done = project.pyinfra("-y", "deploy.py")
    assert done.returncode == 1
    assert "nothing was changed anywhere" in done.stderr
    assert re.search(r"worker3 +│ unreachable", done.stderr)
    assert re.search(r"worker1 +│ not reached", done.stderr)
    assert written(bare_lab, "worker1") == []


FAILS_LATER = """
    from pyinfra import host
    from pyinfra.api import FactBase, operation
    from pyinfra.operations import server

    class Flaky(FactBase):
        def command(self):
            return "test ! -e /root/trace-gone && echo fine"

    @operation()
    def uses_fact():
        value = host.get_fact(Flaky)
        yield f"echo got-{value} >> /root/trace"

    server.shell(name="Take it away", commands=["touch /root/trace-gone"])
    uses_fact(name="Use the fact")
    server.shell(name="Go on", commands=["echo went-on >> /root/trace"])
"""


def test_a_fact_that_fails_stops_its_operation(project: Project, bare_lab: Lab) -> None:
    """Trap 6: a fact that fails while executing is no answer: its operation fails and nothing after it runs."""
    project.write("deploy.py", FAILS_LATER)
    done = project.pyinfra("-y", "deploy.py")
    assert done.returncode == 1
    assert written(bare_lab, "worker1") == []
    assert "could not read" in done.stderr


def test_an_owed_reload_survives_a_failed_run(project: Project, bare_lab: Lab) -> None:
    """Trap 7: the file is written, the run fails before the reload; the next run reloads although nothing differs."""
    project.write(
        "deploy.py",
        """
        from pyinfra.operations import server
        from slipway.ops import files, units
        path, owes = "/etc/systemd/system/trace.service", ["restart:trace.service"]
        files.put(name="Write unit", path=path, owes=owes, content='''
        [Service]
        Type=oneshot
        RemainAfterExit=yes
        ExecStart=/bin/sh -c "echo started >> /root/trace"
        ''')
        server.shell(name="Fail once", commands=["systemctl daemon-reload; test -e /root/trace-again"])
        units.settle(name="Restart trace", unit="trace.service", action="restart")
        """,
    )
    assert project.pyinfra("-y", "deploy.py").returncode == 1
    assert written(bare_lab, "worker1") == []
    for host in ("worker1", "worker2", "worker3"):
        bare_lab.exec(host, ["touch", "/root/trace-again"])
    assert project.pyinfra("-y", "deploy.py").returncode == 0
    assert written(bare_lab, "worker1") == ["started"]
    assert project.pyinfra("-y", "deploy.py").returncode == 0
    assert written(bare_lab, "worker1") == ["started"]


def test_conditions_add_up(project: Project, bare_lab: Lab) -> None:
    """Trap 8: an operation's own `_if` does not undo that of the block around it."""
    project.write(
        "deploy.py",
        """
        from pyinfra import host
        from pyinfra.operations import server
        with host.when(lambda: False):
            server.shell(name="Never", commands=["echo never >> /root/trace"], _if=lambda: True)
            with host.arguments(_env={"WORD": "inner"}):
                server.shell(name="Never either", commands=["echo $WORD >> /root/trace"])
        with host.when(lambda: True):
            server.shell(name="Both", commands=["echo both >> /root/trace"], _if=lambda: True)
            server.shell(name="Not both", commands=["echo one >> /root/trace"], _if=lambda: False)
        """,
    )
    done = project.pyinfra("-y", "deploy.py")
    assert done.returncode == 0, done.stderr
    assert written(bare_lab, "worker1") == ["both"]


def test_waiting_in_vain_is_a_failure(project: Project, bare_lab: Lab) -> None:
    """Trap 10: a `_retry_until` that is never met fails its operation."""
    project.write(
        "deploy.py",
        """
        from pyinfra.operations import server
        server.shell(name="Wait", commands=["echo not-yet"], _retries=1, _retry_delay=0, _retry_until=lambda said: True)
        server.shell(name="Go on", commands=["echo went-on >> /root/trace"])
        """,
    )
    done = project.pyinfra("-y", "deploy.py")
    assert done.returncode == 1
    assert written(bare_lab, "worker1") == []


def test_an_exception_on_one_host_is_that_hosts_alone(project: Project, bare_lab: Lab) -> None:
    """Trap 10: what an operation raises on one host fails that host; the others finish the operation."""
    project.write(
        "deploy.py",
        """
        from pyinfra import host, state
        from pyinfra.api import operation

        @operation()
        def odd():
            if state.is_executing and host.name == "worker2":
                raise RuntimeError("odd one out")
            yield "echo fine >> /root/trace"

        odd(name="Do it")
        """,
    )
    done = project.pyinfra("-y", "deploy.py")
    assert done.returncode == 1
    assert [written(bare_lab, name) for name in ("worker1", "worker2", "worker3")] == [["fine"], [], ["fine"]]
    assert "odd one out" in done.stderr


def test_an_upload_is_whole_and_leaves_no_copy(project: Project, bare_lab: Lab) -> None:
    """Trap 11: what pyinfra's own operations upload replaces the file in one step, keeps its owner and mode, and is at
    no moment in /tmp; rsync, which would go past the lock, is refused."""
    bare_lab.exec("worker1", ["sh", "-c", "echo old > /root/trace; chown ops: /root/trace; chmod 600 /root/trace"])
    project.write(
        "deploy.py",
        """
        from io import StringIO
        from pyinfra.operations import files, server
        server.shell(name="Watch", commands=["ls -i /root/trace > /root/trace-before; mkdir /root/trace-d"])
        files.put(name="Replace", src=StringIO("new"), dest="/root/trace")
        files.put(name="Make", src=StringIO("mine"), dest="/root/trace-made", mode="640")
        """,
    )
    done = project.pyinfra("-y", "deploy.py", "--limit", "worker1")
    assert done.returncode == 0, done.stderr
    assert (written(bare_lab, "worker1"), written(bare_lab, "worker1", "/root/trace-made")) == (["new"], ["mine"])
    look = "stat -c '%a %U' /root/trace /root/trace-made; ls -i /root/trace; ls /tmp | grep -c pyinfra; ls /root"
    said = bare_lab.exec("worker1", ["sh", "-c", look]).stdout.splitlines()
    assert said[:2] == ["600 ops", "640 root"]
    assert said[2].split()[0] != written(bare_lab, "worker1", "/root/trace-before")[0]
    assert said[3:] == ["0", "trace", "trace-before", "trace-d", "trace-made"]
    project.write("deploy.py", 'from pyinfra.operations import files\nfiles.rsync(src="x", dest="/root/trace-d")\n')
    refused = project.pyinfra("-y", "deploy.py", "--limit", "worker1")
    assert (refused.returncode, "would go past the host's lock" in refused.stderr) == (1, True), refused.stderr
    bare_lab.exec("worker1", ["rmdir", "/root/trace-d"])


def test_a_command_that_takes_too_long_ends_on_the_host(project: Project, bare_lab: Lab) -> None:
    """Trap 12: a time limit holds on the host itself: the command is gone there, and the error says so."""
    project.write(
        "deploy.py",
        """
        from pyinfra.operations import server
        server.shell(name="Sleep", commands=["sleep 4242"], _timeout=2)
        """,
    )
    started = time.monotonic()
    done = project.pyinfra("-y", "deploy.py", "--limit", "worker1")
    assert done.returncode == 1
    assert time.monotonic() - started < 15
    assert "timed out after 2 s" in done.stderr
    assert "4242" not in bare_lab.exec("worker1", ["sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '"]).stdout


def test_an_unknown_host_key_is_refused(project: Project, bare_lab: Lab, tmp_path: object) -> None:
    """Trap 13: a host that known_hosts does not know is refused without a question, whatever ssh_config says."""
    text = (project.path / "inventories/all.py").read_text()
    empty = project.path / "known_hosts"
    empty.write_text("")
    project.write("inventories/all.py", text.replace(str(bare_lab.layout.known_hosts), str(empty)))
    done = project.pyinfra("-y", "deploy.py")
    assert done.returncode == 1
    assert "found in known_hosts" in done.stderr
    assert empty.read_text() == ""


def test_commands_do_not_wait_for_nagle(project: Project, bare_lab: Lab) -> None:
    """The connection sets TCP_NODELAY: a command takes milliseconds, not the 44 to 50 ms of a delayed packet."""
    project.write(
        "deploy.py",
        """
        import socket, time
        from pyinfra import host, state
        from slipway.engine.run import current_run
        if not current_run(state).declaring:
            sock = host.connector.client.get_transport().sock
            print("nodelay", sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        """,
    )
    done = project.pyinfra("-y", "deploy.py", "--limit", "worker1")
    assert "nodelay 1" in done.stdout
    assert done.returncode == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("entry", ["slipway", "pyinfra"])
def test_an_interrupted_run_says_so(project: Project, bare_lab: Lab, entry: str, number: int, code: int) -> None:
    """Trap 5: Ctrl-C and SIGTERM in the middle of a deploy end it with 130 and 143, and the lock is free at once."""
    project.write(
        "deploy.py",
        """
        from pyinfra.operations import server
        server.shell(name="Take long", commands=["echo start >> /root/trace; sleep 6"])
        """,
    )
    running = project.popen("deploy") if entry == "slipway" else project.popen_pyinfra("-y", "deploy.py")
    wait_for_start(running, bare_lab)
    running.send_signal(number)
    _, errors = running.communicate(timeout=30)
    assert running.returncode == code, errors
    assert "Traceback" not in errors
    assert project.slipway("deploy", "--limit", "worker2").returncode == 0


def wait_for_start(running: subprocess.Popen[str], lab: Lab) -> None:
    """Until worker1 has begun; bounded by the run's own end."""
    while not written(lab, "worker1"):
        assert running.poll() is None, running.communicate()
        time.sleep(0.1)  # polling a file on the host


def test_one_run_at_a_time(project: Project, bare_lab: Lab) -> None:
    """While one run is in a step, another ends with exit 75, says who holds the lock, and has changed nothing."""
    project.write(
        "deploy.py",
        """
        from pyinfra.operations import server
        server.shell(name="Take long", commands=["echo start >> /root/trace; sleep 8; echo end >> /root/trace"])
        """,
    )
    first = project.popen("deploy")
    try:
        while not written(bare_lab, "worker3"):
            assert first.poll() is None, first.communicate()
            time.sleep(0.1)  # polling a file on the host; bounded by the first run's own end
        second = project.slipway("deploy")
        assert second.returncode == 75
        assert "has held the lock since" in second.stderr
    finally:
        first.communicate(timeout=60)
    assert first.returncode == 0
    assert written(bare_lab, "worker1") == ["start", "end"]


def test_the_lock_of_a_killed_run_is_free_within_seconds(project: Project, bare_lab: Lab) -> None:
    """A run that is killed leaves no lock behind: the next one gets it at once, nobody unlocks by hand."""
    project.write(
        "deploy.py",
        """
        from pyinfra.operations import server
        server.shell(name="Take long", commands=["echo start >> /root/trace; test -e /root/trace-quick || sleep 5"])
        """,
    )
    first = project.popen("deploy")
    while not written(bare_lab, "worker1"):
        assert first.poll() is None, first.communicate()
        time.sleep(0.1)  # polling a file on the host; bounded by the first run's own end
    first.kill()
    first.communicate(timeout=30)
    for host in ("worker1", "worker2", "worker3"):
        bare_lab.exec(host, ["touch", "/root/trace-quick"])
    time.sleep(2)  # the promise is "within seconds": sshd needs a moment to see that its client is gone
    assert project.slipway("deploy").returncode == 0


def test_a_question_is_put_once_until_something_changes(project: Project, bare_lab: Lab) -> None:
    """While nothing changes on a host an answer is remembered; after a change it is asked anew."""
    project.write(
        "deploy.py",
        """
        from pyinfra import host
        from pyinfra.api import FactBase, operation

        class Asked(FactBase):
            command = "echo x >> /root/trace-asked; wc -l < /root/trace-asked"

        @operation()
        def twice():
            first, second = host.get_fact(Asked), host.get_fact(Asked)
            yield f"echo {first}-{second} >> /root/trace"

        twice(name="Ask twice")
        twice(name="Ask twice again")
        """,
    )
    assert project.slipway("deploy", "--limit", "worker1").returncode == 0
    # Once for both while preparing, which holds for the first operation too; anew for the second: the first one changed
    # something.
    assert written(bare_lab, "worker1") == ["1-1", "2-2"]
