"""What somebody changed by hand: each is shown by plan and mended by deploy."""

from __future__ import annotations

import shlex

import pytest

from tests.snapshot import difference, snapshot
from tests.stack.project import Stack

pytestmark = pytest.mark.hosts

TREES = "/etc/nginx/slipway/"


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
    # An edited tree of the edge is not touched but replaced by one beside it; that it is as wanted, the plan has told.
    changed = {
        host: [line for line in difference(before[host], after[host]) if TREES not in line] for host in stack.hosts
    }
    assert changed == {host: [] for host in stack.hosts}


UNITS = {"edge1": "nginx", "db1": "postgresql@17-main", "cache1": "redis-server", "worker1": "docker"}
EDGES = ("edge1", "edge2")
PSQL = "runuser -u postgres -- psql -XAtqd demo -c "


def test_stopped_units_a_removed_container_and_a_dropped_grant_are_shown_and_mended(stack: Stack) -> None:
    """All at once: each is in the plan of its host, and nowhere else; after one deploy each is as it was."""
    name = on(stack, "worker2", "docker ps --format '{{.Names}}' | grep api").split()[0]
    on(stack, "worker2", f"docker rm -f {name}")
    on(stack, "db1", f"{PSQL} 'revoke all on database demo from demo, public'")
    assert may_use_temporary_tables(stack) == "f"
    # An edge that still sends requests to what does not run there is told so.
    assert stack.plan()["hosts"].keys() == {"worker2", "db1", *EDGES}
    for host, unit in UNITS.items():
        on(stack, host, f"systemctl stop {unit} {'docker.socket' if unit == 'docker' else ''}")
    plan = stack.plan()
    assert plan["hosts"].keys() == {*UNITS, "worker2", *EDGES}
    assert f"container {name}" in subjects(plan, "worker2")
    for host, unit in UNITS.items():
        assert any(unit.partition(".")[0] in subject for subject in subjects(plan, host)), (host, unit)
    stack.deploy()
    assert stack.plan()["hosts"] == {}
    assert name in on(stack, "worker2", "docker ps --format '{{.Names}}'").split()
    assert may_use_temporary_tables(stack) == "t"
    for host, unit in UNITS.items():
        assert on(stack, host, f"systemctl is-active {unit}").strip() == "active"


def may_use_temporary_tables(stack: Stack) -> str:
    return on(stack, "db1", f"{PSQL} \"select has_database_privilege('demo', 'demo', 'TEMP')\"").strip()
