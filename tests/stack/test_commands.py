"""How many commands the whole stack costs: by the count of the connections themselves."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.stack.project import ROOT, Stack

pytestmark = pytest.mark.hosts

MOST = 4
"""Remote commands for each host after connecting, whatever the number of operations."""


def counts(trace: Path, skip: int) -> dict[str, int]:
    """Host to the commands that its connection has counted, of the run whose lines begin there."""
    lines = [json.loads(line) for line in trace.read_text().splitlines()[skip:]]
    return {line["host"]: line["commands"] for line in lines if "commands" in line}


def test_a_run_without_changes_takes_at_most_four_commands_a_host(stack: Stack) -> None:
    """Lock, questions, and on an edge the proof: for every host of the stack, with some sixty operations each."""
    stack.deploy()  # what ran last may have asked for something else
    trace = Path(stack._env["SLIPWAY_TRACE"])
    begun = len(trace.read_text().splitlines())
    assert "No changes: all as wanted." in stack.deploy().stderr
    sent = counts(trace, begun)
    print(f"commands: {sent}")
    # Not one was started ahead for nobody.
    assert sent == {host: 3 if host.startswith("edge") else 2 for host in stack.hosts}, trace.read_text()
    assert max(sent.values()) <= MOST


MOST_UNKNOWN = 12
"""The same where no earlier run is known, as from a fresh checkout; one by one it would be some fifty."""


def test_a_run_that_knows_of_no_other_asks_what_was_declared(stack: Stack) -> None:
    """What the operations are going to ask is found without the hosts, and asked at once; it says the same."""
    stack.deploy()
    trace = Path(stack._env["SLIPWAY_TRACE"])
    begun = len(trace.read_text().splitlines())
    shutil.rmtree(ROOT / ".slipway/asked/lab")
    assert "No changes: all as wanted." in stack.deploy().stderr
    sent = counts(trace, begun)
    print(f"commands: {sent}")
    assert set(sent) == set(stack.hosts)
    assert max(sent.values()) <= MOST_UNKNOWN, trace.read_text().splitlines()[begun:]


def test_a_reconcile_that_knows_of_no_other_asks_what_was_declared(stack: Stack) -> None:
    """The same of a reconcile; and it finds what one that knows finds."""
    stack.deploy()
    trace = Path(stack._env["SLIPWAY_TRACE"])
    stack.slipway("reconcile", "lab")
    shutil.rmtree(ROOT / ".slipway/asked/reconcile/lab")
    begun = len(trace.read_text().splitlines())
    done = stack.slipway("reconcile", "lab")
    assert "clean: no differences" in done.stdout, done.stderr
    sent = counts(trace, begun)
    print(f"commands: {sent}")
    assert set(sent) == set(stack.hosts)
    assert max(sent.values()) <= MOST_UNKNOWN, trace.read_text().splitlines()[begun:]


def test_a_reconcile_that_finds_nothing_takes_at_most_four_commands_a_host(stack: Stack) -> None:
    """Who is at work, questions, and who has been: what the last reconcile asked is known to the next."""
    stack.deploy()
    trace = Path(stack._env["SLIPWAY_TRACE"])
    stack.slipway("reconcile", "lab")
    begun = len(trace.read_text().splitlines())
    done = stack.slipway("reconcile", "lab")
    assert "clean: no differences" in done.stdout, done.stderr
    sent = counts(trace, begun)
    print(f"commands: {sent}")
    assert set(sent) == set(stack.hosts)
    assert max(sent.values()) <= MOST, trace.read_text().splitlines()[begun:]
