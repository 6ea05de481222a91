"""How many commands the whole stack costs: by the count of the connections themselves."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.stack.project import ROOT, Stack

pytestmark = pytest.mark.hosts

MOST = 4
"""Remote commands for each host after connecting, whatever the number of operations."""


@contextmanager
def counted(stack: Stack, most: int) -> Iterator[dict[str, int]]:
    """Host to the commands of the run in the block, once that has ended: each host has some, and none more than that.

    It is the connections themselves that count.
    """
    trace = Path(stack._env["SLIPWAY_TRACE"])
    begun = len(trace.read_text().splitlines())
    sent: dict[str, int] = {}
    yield sent
    lines = trace.read_text().splitlines()[begun:]
    sent.update({line["host"]: line["commands"] for line in map(json.loads, lines) if "commands" in line})
    print(f"commands: {sent}")
    assert set(sent) == set(stack.hosts)
    assert max(sent.values()) <= most, lines


def deploy_nothing(stack: Stack) -> None:
    assert "No changes: all as wanted." in stack.deploy().stderr


def reconcile_nothing(stack: Stack) -> None:
    done = stack.slipway("reconcile", "lab")
    assert "clean: no differences" in done.stdout, done.stderr


def test_a_run_without_changes_takes_at_most_four_commands_a_host(stack: Stack) -> None:
    """Lock, questions, and on an edge the proof: for every host of the stack, with some sixty operations each."""
    stack.deploy()  # what ran last may have asked for something else
    with counted(stack, MOST) as sent:
        deploy_nothing(stack)
    # Not one was started ahead for nobody.
    assert sent == {host: 3 if host.startswith("edge") else 2 for host in stack.hosts}


MOST_UNKNOWN = 12
"""The same where no earlier run is known, as from a fresh checkout; one by one it would be some fifty."""


def test_a_run_that_knows_of_no_other_asks_what_was_declared(stack: Stack) -> None:
    """What the operations are going to ask is found without the hosts, and asked at once; it says the same."""
    stack.deploy()
    shutil.rmtree(ROOT / ".slipway/asked/lab")
    with counted(stack, MOST_UNKNOWN):
        deploy_nothing(stack)


def test_a_reconcile_that_knows_of_no_other_asks_what_was_declared(stack: Stack) -> None:
    """The same of a reconcile; and it finds what one that knows finds."""
    stack.deploy()
    stack.slipway("reconcile", "lab")
    shutil.rmtree(ROOT / ".slipway/asked/reconcile/lab")
    with counted(stack, MOST_UNKNOWN):
        reconcile_nothing(stack)


def test_a_reconcile_that_finds_nothing_takes_at_most_four_commands_a_host(stack: Stack) -> None:
    """Who is at work, questions, and who has been: what the last reconcile asked is known to the next."""
    stack.deploy()
    stack.slipway("reconcile", "lab")
    with counted(stack, MOST):
        reconcile_nothing(stack)
