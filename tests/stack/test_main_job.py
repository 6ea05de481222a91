"""The main job: bare hosts become the running demo stack, and a second run changes nothing."""

from __future__ import annotations

import json

import pytest

from slipway.proving import Edge, prove_demo
from tests.snapshot import difference, snapshot
from tests.stack.project import Stack

pytestmark = pytest.mark.hosts


def edges(stack: Stack) -> list[Edge]:
    return [Edge(name, stack.lab.address(name), "demo.lab.test") for name in ("edge1", "edge2")]


def release_of(stack: Stack) -> str:
    return str(stack.plan()["release"])


def test_the_first_deploy_names_every_host(stack: Stack) -> None:
    """The last event of `--json` tells what became of each host."""
    last = json.loads(stack.first_deploy.stdout.splitlines()[-1])
    assert last["kind"] == "run-end"
    assert sorted(last["details"]["hosts"]) == sorted(stack.hosts)
    assert all(host["changed"] > 0 and not host["error"] for host in last["details"]["hosts"].values())


def test_the_application_works_through_both_edges(stack: Stack) -> None:
    """The release id answers, a job submitted through the API is finished by the worker, a WebSocket echoes."""
    told: list[str] = []
    for edge in edges(stack):
        prove_demo(edge, release_of(stack), told.append)
    assert len(told) == 6


def test_a_second_run_changes_nothing(stack: Stack) -> None:
    """By its own word and by snapshot: slipway, plain pyinfra, and pyinfra with a dry run."""
    before = {host: snapshot(stack.lab, host) for host in stack.hosts}
    assert "No changes: all as wanted." in stack.deploy().stderr
    dry = stack.pyinfra("--dry")
    assert dry.returncode == 0, dry.stderr
    plain = stack.pyinfra()
    assert plain.returncode == 0, plain.stderr
    assert "No changes: all as wanted." in plain.stderr
    after = {host: snapshot(stack.lab, host) for host in stack.hosts}
    assert {host: difference(before[host], after[host]) for host in stack.hosts} == {host: [] for host in stack.hosts}


def test_plan_has_nothing_to_do(stack: Stack) -> None:
    """`plan` after a deploy: exit 0."""
    done = stack.slipway("plan", "lab")
    assert (done.returncode, done.stdout) == (0, "Nothing to do: all as wanted.\n"), done.stderr


def test_status_says_what_runs_where(stack: Stack) -> None:
    """`status` names every host, and the release on every worker; exit 0 as all is well."""
    done = stack.slipway("status", "lab", "--json")
    rows = json.loads(done.stdout)
    assert done.returncode == 0, done.stdout
    assert {row["host"] for row in rows} == set(stack.hosts)
    release = release_of(stack)
    served = {row["host"] for row in rows if row["release"] == release}
    assert served == {"worker1", "worker2", "worker3"}


def test_verify_checks_every_role_on_every_host(stack: Stack) -> None:
    """`verify`: exit 0, and every host and every role of deploy.py had checks."""
    done = stack.slipway("verify", "lab")
    assert done.returncode == 0, done.stdout[-4000:]
    collected = stack.slipway("verify", "lab", "-k", "nothing-is-called-that")
    assert collected.returncode == 1


def test_nothing_is_left_in_tmp(stack: Stack) -> None:
    """A deploy leaves no temporary file on any host."""
    for host in stack.hosts:
        found = stack.lab.exec(host, ["sh", "-c", "find /tmp /etc /var/lib/slipway -name '.slipway.*'"])
        assert found.stdout == "", host
