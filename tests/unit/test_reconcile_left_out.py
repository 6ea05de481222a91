"""What a run that mends leaves out: nothing of it is ever begun. Over hosts that have nothing and are never asked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from pyinfra.api import Config, State
from pyinfra.api.state import StateStage
from pyinfra.context import ctx_inventory, ctx_state

from slipway.engine.asked import Beforehand
from slipway.engine.comparing import Compared, look, pending_in
from slipway.engine.declare import declare
from slipway.engine.events import Events
from slipway.engine.inventory import find_inventory, read_inventory
from slipway.engine.mending import Mending
from slipway.engine.prepare import role_and_name
from slipway.engine.run import Run
from slipway.engine.session import attach
from slipway.holds import Hold
from slipway.reconcile.kinds import Case, Looked, differences
from slipway.reconcile.settings import Noise
from slipway.seam.hosts import with_connector
from tests.faults.brought import Listening
from tests.wrong_project import wrong_project

HOST, FILE = "cache1", "/etc/redis/redis.conf"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A run of one role, connected to nobody."""
    monkeypatch.chdir(tmp_path)
    project = wrong_project(tmp_path)
    path = find_inventory("fleet")
    declared = declare(path, [project.path / "deploy.py"])
    inventory = with_connector(read_inventory(path), Listening)
    state = State(check_for_changes=True)
    state.init(inventory, Config())
    state.cwd = str(tmp_path)
    state.set_stage(StateStage.Prepare)
    for host in inventory:
        host.connector.asked = []
        state.activate_host(host)
    return attach(declared, state, Events())


def looked(run: Run) -> Looked:
    with ctx_inventory.use(run.state.inventory), ctx_state.use(run.state):
        found, errors = look(run)
    assert errors == {}
    return found[HOST]


def left(run: Run, case: Case, brings_all: bool = False, kind: str = "drift") -> set[tuple[str, str]]:
    """Role and thing of every difference that the run may still touch on the host."""
    found = looked(run)
    from_record, project = (found, found) if kind == "drift" else (Looked(), found)
    compared = Compared({HOST: differences(case, from_record, project)}, {HOST: "a-1"}, {HOST: case})
    mending = Mending("fleet", Beforehand({}, {}), compared, frozenset([HOST]), brings_all, cases={HOST: case})
    mending._leave_out(run)
    host = run.state.inventory.get_host(HOST)
    identities = [each for stage in run.stages for each in run.operations_of(stage, host)]
    return {(each.role, each.change.subject) for identity in identities for each in pending_in(run, host, identity)}


def hold(scope: str, subject: str = "") -> tuple[Hold, ...]:
    since, until = "2026-11-20T08:00:00+00:00", "2026-11-20T18:00:00+00:00"
    return (Hold("ab12", scope, subject, "why not", "ada@ops1", since, until),)  # type: ignore[arg-type]


def test_a_host_without_a_record_gets_what_is_intended(run: Run) -> None:
    """It has nothing to drift from: `all` brings everything that the repository wants there, `drift` nothing."""
    case = Case(HOST, is_on_record=False)
    assert ("redis", FILE) in left(run, case, brings_all=True, kind="intended")


def test_preparing_again_finds_the_same(run: Run) -> None:
    """Nothing of the first pass is left over, so that a second run can be prepared over the same connections."""
    first = looked(run)
    host = run.state.inventory.get_host(HOST)
    count = len(host.op_hash_order)
    assert looked(run) == first
    assert (len(host.op_hash_order), len(run.state.ops[host])) == (count, count)
    assert FILE in {each.change.subject for each in first.pending} & first.managed


def test_every_operation_has_its_role(run: Run) -> None:
    """By the name that its data has, without it in the operation's own name."""
    looked(run)
    told = {role_and_name(run, each) for each in run.state.inventory.get_host(HOST).op_hash_order}
    assert {role for role, _ in told} == {"redis"}
    assert not any("redis: " in name for _, name in told)


def test_drift_is_touched(run: Run) -> None:
    """Whatever differs and nobody has said anything about."""
    assert ("redis", FILE) in left(run, Case(HOST))


def test_what_is_intended_is_touched_only_where_all_is_brought(run: Run) -> None:
    """A person's deploy brings it."""
    assert left(run, Case(HOST), kind="intended") == set()
    assert ("redis", FILE) in left(run, Case(HOST), brings_all=True, kind="intended")


@pytest.mark.parametrize("held", [hold("host"), hold("role", "redis")])
@pytest.mark.parametrize("brings_all", [False, True])
def test_a_held_host_or_role_is_not_touched(run: Run, held: tuple[Hold, ...], brings_all: bool) -> None:
    """Not by operations either that would change nothing as yet: one before them might make them."""
    assert left(run, Case(HOST, holds=held), brings_all) == set()
    host = run.state.inventory.get_host(HOST)
    assert [each for stage in run.stages for each in run.operations_of(stage, host)] == []


def test_a_held_file_alone_is_not_touched(run: Run) -> None:
    """The rest is."""
    without = left(run, Case(HOST, holds=hold("file", FILE)))
    assert without
    assert ("redis", FILE) not in without


def test_noise_is_not_touched(run: Run) -> None:
    """Whatever is brought."""
    known = replace(Case(HOST), noise=(Noise(subject=FILE, reason="r"),))
    for brings_all in (False, True):
        assert ("redis", FILE) not in left(run, known, brings_all)


def test_a_host_of_another_release_is_not_touched(run: Run) -> None:
    """It is brought to its own record by a run of its own."""
    looked(run)
    Mending("fleet", Beforehand({}, {}), Compared({}, {}, {}), frozenset())._leave_out(run)
    hosts = list(run.state.inventory)
    assert [each for host in hosts for stage in run.stages for each in run.operations_of(stage, host)] == []
