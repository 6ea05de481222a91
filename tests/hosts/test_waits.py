"""Waits on real hosts: they end when what they wait for is there, and say what was there instead when it is not."""

from __future__ import annotations

import time

import pytest

from slipway.lab.lab import Lab
from tests.project import Project

pytestmark = pytest.mark.hosts

SERVER = r"""
use IO::Socket::INET; sleep $ARGV[1];
my $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => $ARGV[0], Listen => 9, ReuseAddr => 1) or die;
while (my $c = $s->accept) { <$c>; print $c "HTTP/1.0 503 Busy\r\n\r\nstill loading"; close $c }
"""
"""Answers 503 on a port, from so many seconds after its start on; Perl is on every Debian."""


def serve(lab: Lab, port: int, after: int = 0) -> None:
    unit = ["systemd-run", "-q", "--collect", f"--unit=slip-wait-{port}"]
    assert lab.exec("worker1", [*unit, "perl", "-e", SERVER, str(port), str(after)]).code == 0


def stop(lab: Lab, port: int) -> None:
    lab.exec("worker1", ["systemctl", "stop", f"slip-wait-{port}"])


def test_a_wait_ends_when_the_port_opens(project: Project, bare_lab: Lab) -> None:
    """Shown by the plan while nothing listens, over as soon as something does, nothing to do afterwards."""
    project.write(
        "deploy.py",
        "from slipway.ops import waits\nwaits.port(name='Wait', address='127.0.0.1', port=4701, seconds=30)\n",
    )
    plan = project.slipway("plan", "--limit", "worker1")
    assert (plan.returncode, "127.0.0.1 port 4701: wait until it takes connections" in plan.stdout) == (3, True)
    serve(bare_lab, 4701, after=3)
    try:
        assert project.slipway("deploy", "--limit", "worker1").returncode == 0
        assert project.slipway("plan", "--limit", "worker1").returncode == 0
    finally:
        stop(bare_lab, 4701)


def test_a_wait_in_vain_fails_in_time_with_what_was_there(project: Project, bare_lab: Lab) -> None:
    """A closed port says refused, a wrong answer says its status and text; neither takes much longer than its limit."""
    port = "waits.port(name='Wait for nobody', address='127.0.0.1', port=4702, seconds=2)"
    http = "waits.http(name='Wait for an answer', url='http://127.0.0.1:4703/ready', seconds=2)"
    asks = "packages.installed(name='Install what asks', names=['curl'])"
    serve(bare_lab, 4703)
    started = time.monotonic()
    try:
        project.write("deploy.py", f"from slipway.ops import waits\n{port}\n")
        nobody = project.slipway("deploy", "--limit", "worker2")
        project.write("deploy.py", f"from slipway.ops import packages, waits\n{asks}\n{http}\n")
        busy = project.slipway("deploy", "--limit", "worker1")
    finally:
        stop(bare_lab, 4703)
    assert (nobody.returncode, busy.returncode) == (1, 1)
    assert "127.0.0.1 port 4702 takes no connection" in nobody.stderr and "refused" in nobody.stderr
    assert "GET http://127.0.0.1:4703/ready: 503, wanted 200; it said: still loading" in busy.stderr
    # The limits are 2 s; the rest is for installing curl where it is not there, and for a busy machine.
    assert time.monotonic() - started < 60
