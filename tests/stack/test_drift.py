"""What somebody changed by hand: each is shown by plan and mended by deploy."""

from __future__ import annotations

import shlex

import pytest

from tests.snapshot import difference, snapshot
from tests.stack.conftest import Stack

pytestmark = pytest.mark.hosts


def subjects(plan: dict[str, object], host: str) -> set[str]:
    hosts: dict[str, list[dict[str, list[dict[str, str]]]]] = plan["hosts"]  # type: ignore[assignment]
    return {change["subject"] for operation in hosts.get(host, []) for change in operation["changes"]}


def on(stack: Stack, host: str, command: str) -> str:
    done = stack.lab.exec(host, ["sh", "-c", command])
    assert done.code == 0, done.stderr
    return done.stdout


def test_a_hand_edit_of_any_managed_file_is_shown_and_mended(stack: Stack) -> None:
    """Generated from what the operations say they manage: every file, on every host, at once."""
    before = {host: snapshot(stack.lab, host) for host in stack.hosts}
    managed = stack.plan()["managed"]
    assert all(managed[host] for host in stack.hosts)
    for host in stack.hosts:
        for path in managed[host]:
            on(stack, host, f"printf '\\n# by hand\\n' >> {shlex.quote(path)}")
    plan = stack.plan()
    missed = {host: sorted(set(managed[host]) - subjects(plan, host)) for host in stack.hosts}
    assert missed == {host: [] for host in stack.hosts}
    shown = stack.slipway("plan", "lab")
    assert shown.returncode == 3
    assert "-# by hand" in shown.stdout
    stack.deploy()
    assert stack.plan()["hosts"] == {}
    after = {host: snapshot(stack.lab, host) for host in stack.hosts}
    assert {host: difference(before[host], after[host]) for host in stack.hosts} == {host: [] for host in stack.hosts}


@pytest.mark.parametrize(
    ("host", "unit"),
    [("edge1", "nginx"), ("db1", "postgresql@17-main"), ("cache1", "redis-server"), ("worker1", "docker")],
)
def test_a_stopped_unit_is_shown_and_mended(stack: Stack, host: str, unit: str) -> None:
    """A service that somebody stopped is in the plan, and runs after the next deploy."""
    on(stack, host, f"systemctl stop {unit} {'docker.socket' if unit == 'docker' else ''}")
    assert any(unit.partition(".")[0] in subject for subject in subjects(stack.plan(), host))
    stack.deploy()
    assert on(stack, host, f"systemctl is-active {unit}").strip() == "active"
    assert stack.plan()["hosts"] == {}


def test_a_removed_container_is_shown_and_mended(stack: Stack) -> None:
    """A container that somebody removed is in the plan, and stands again after the next deploy."""
    name = on(stack, "worker2", "docker ps --format '{{.Names}}' | grep api").split()[0]
    on(stack, "worker2", f"docker rm -f {name}")
    assert f"container {name}" in subjects(stack.plan(), "worker2")
    stack.deploy()
    assert name in on(stack, "worker2", "docker ps --format '{{.Names}}'").split()
    assert stack.plan()["hosts"] == {}


def test_a_dropped_grant_is_shown_and_mended(stack: Stack) -> None:
    """A privilege that somebody revoked in Postgres is in the plan, and held again after the next deploy."""
    psql = "runuser -u postgres -- psql -XAtqd demo -c "
    held = f"{psql} \"select has_database_privilege('demo', 'demo', 'TEMP')\""
    assert on(stack, "db1", held).strip() == "t"
    on(stack, "db1", f"{psql} 'revoke all on database demo from demo, public'")
    assert on(stack, "db1", held).strip() == "f"
    assert stack.plan()["hosts"].keys() == {"db1"}
    stack.deploy()
    assert on(stack, "db1", held).strip() == "t"
    assert stack.plan()["hosts"] == {}
