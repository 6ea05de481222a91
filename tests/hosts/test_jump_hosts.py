"""Hosts behind a jump host: reached through it, by one connection to it for all of them."""

from __future__ import annotations

import pytest

from slipway.lab.hosts import hosts_named
from slipway.lab.inventory import connection_data
from slipway.lab.lab import Lab
from tests.project import Project

pytestmark = pytest.mark.hosts

JUMP, BEHIND = "worker1", ("worker2", "worker3")


def behind_a_jump_host(project: Project, jump: str) -> None:
    """An inventory of two hosts that an ssh_config sends through a third."""
    layout = project.lab.layout
    addresses = " ".join(layout.address(name) for name in BEHIND)
    project.write("ssh_config", f"Host {addresses}\n    ProxyJump {jump}\n\n{layout.ssh_config.read_text()}")
    data = {name: connection_data(layout, hosts_named([name])[0]) for name in BEHIND}
    hosts = [(name, {**found, "ssh_config_file": str(project.path / "ssh_config")}) for name, found in data.items()]
    project.write("inventories/all.py", f"web = {hosts!r}\n")


def log_ins(lab: Lab, host: str) -> int:
    """Log-ins that a host's sshd has let in so far."""
    log = lab.exec(host, ["journalctl", "--unit", "ssh", "--output", "cat", "--no-pager"]).stdout
    return log.count("Accepted publickey")


def test_hosts_behind_a_jump_host_share_one_connection_to_it(project: Project, bare_lab: Lab) -> None:
    """Both are reached, each sees the jump host as where we come from, and that has seen one log-in."""
    behind_a_jump_host(project, f"ops@{bare_lab.layout.address(JUMP)}")
    project.write(
        "deploy.py",
        """
        from pyinfra.operations import server
        server.shell(name="Note it", commands=['echo "${SSH_CONNECTION%% *}" > /tmp/from'], _sudo=False)
        """,
    )
    before = log_ins(bare_lab, JUMP)
    done = project.pyinfra("-y", "deploy.py")
    assert done.returncode == 0, done.stderr
    said = [bare_lab.exec(name, ["cat", "/tmp/from"]).stdout.strip() for name in BEHIND]
    assert said == [bare_lab.layout.address(JUMP)] * 2
    assert log_ins(bare_lab, JUMP) == before + 1


def test_a_jump_host_that_does_not_answer_is_named(project: Project, bare_lab: Lab) -> None:
    """Every host behind it is told to be unreachable, and that it is the jump host that does not answer."""
    address = bare_lab.layout.address(JUMP)
    behind_a_jump_host(project, f"ops@{address}:2299")
    done = project.pyinfra("-y", "deploy.py")
    assert done.returncode == 1
    for name in BEHIND:
        assert any(name in line and f"jump host {address}" in line for line in done.stderr.splitlines()), done.stderr
