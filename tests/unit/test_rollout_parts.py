"""The parts of a rollout that need no host: steps and overhead, who is asked, what a journal says, turns."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from pyinfra.api import Config, Inventory, State, StringCommand, operation
from pyinfra.api.host import Host
from pyinfra.api.state import StateStage
from pyinfra.context import ctx_host, ctx_state

from slipway import seam
from slipway.disruption import Disruption, NotNow, TurnNeeded, disrupts, handle_disruptions
from slipway.engine.journal import Journal, StandingFact
from slipway.facts.files import script
from slipway.rollout import Admission, Step, batches, is_among
from slipway.seam.hosts import connect_all
from slipway.seam.operations import run_operation
from slipway.steps import is_told, overhead, steps_in

# --- steps


def test_a_scripts_steps_stand_where_they_happened() -> None:
    """Hundredths of a second since the host's start become seconds of the controller's clock, whatever else is said."""
    said = [
        "base 100000",
        "step shop-web-1 stop 100150 100250",
        "Error response from daemon: step aside",
        "step shop-web-1 start 100250 100275",
        "step shop-web-1 half-told 100275",
    ]
    found = steps_in(said, began=50.0)
    assert found == [Step("stop", "shop-web-1", 51.5, 1.0), Step("start", "shop-web-1", 52.5, 0.25)]
    assert [line for line in said if not is_told(line)] == ["Error response from daemon: step aside"]


def test_steps_of_several_scripts_count_from_their_own_base() -> None:
    """Two hosts, or two commands: each has its own beginning."""
    found = steps_in(["base 10", "step a start 10 110", "base 500", "step b start 500 600"], began=7)
    assert [(step.began, step.seconds) for step in found] == [(7.0, 1.0), (7.0, 1.0)]


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([], 10.0),
        ([("ready", 0, 10)], 0.0),
        ([("ready", 2, 3), ("monitor", 5, 4)], 3.0),  # 0 to 2, and 9 to 10
        ([("start", 1, 6), ("ready", 2, 2)], 4.0),  # one within the other counts once
        ([("ready", 4, 2), ("start", 1, 4)], 5.0),  # they overlap, and are told in another order
        ([("gate", 0, 10), ("admit", 0, 5)], 10.0),  # what we do ourselves is what is counted
        ([("drain", 8, 30)], 8.0),  # it goes on past the end
        ([("drain", -5, 7)], 8.0),  # it began before
    ],
)
def test_overhead_is_the_time_in_which_nothing_had_to_be_waited_for(
    steps: list[tuple[str, float, float]], expected: float
) -> None:
    """Of ten seconds, those in which no container started, got ready, was watched, drained or stopped."""
    assert overhead([Step(what, "", 100 + at, seconds) for what, at, seconds in steps], 100, 110) == expected


# --- who is asked


@pytest.mark.parametrize(
    ("parallelism", "expected"), [(1, [[1], [2], [3]]), (2, [[1, 2], [3]]), (3, [[1, 2, 3]]), (9, [[1, 2, 3]])]
)
def test_batches_keep_the_order(parallelism: int, expected: list[list[int]]) -> None:
    """Groups of so many; 0 is all at once, and nothing is no batch."""
    assert batches([1, 2, 3], parallelism) == expected
    assert (batches([1, 2, 3], 0), batches([], 0), batches([], 2)) == ([[1, 2, 3]], [], [])


@pytest.mark.parametrize(
    ("targets", "expected"),
    [
        (["10.0.0.1:18000"], True),
        (["10.0.0.1"], True),
        (["10.0.0.1:18005", "10.0.0.11"], False),
        (["10.0.0.1:1800"], False),
        ([], False),
    ],
)
def test_a_target_is_an_address_or_its_host(targets: list[str], expected: bool) -> None:
    """A longer address or port that begins alike is another one."""
    assert is_among("10.0.0.1:18000", targets) is expected


ONE, TWO, OTHER = "10.0.0.1:18000", "10.0.0.1:18001", "10.0.0.2:18000"


@pytest.mark.parametrize(
    ("peers", "drained", "targets", "expected"),
    [
        ([ONE, OTHER], [], [ONE], False),  # the other one serves
        ([ONE, OTHER], ["10.0.0.2"], [ONE], True),  # its host is out
        ([ONE, OTHER], [OTHER], ["10.0.0.1"], True),  # it is out itself
        ([ONE, TWO], [], ["10.0.0.1"], False),  # there is nobody else who could be out
        ([ONE, TWO, OTHER], [OTHER], [ONE], False),  # the second replica of the same host serves
        ([ONE, TWO, OTHER], ["10.0.0.2"], ["10.0.0.1"], True),
        ([OTHER], ["10.0.0.2"], [ONE], False),  # it is not this one that leaves it alone
        ([ONE], [], [ONE], False),
    ],
)
def test_a_service_is_left_alone_where_everybody_else_is_out(
    peers: list[str], drained: list[str], targets: list[str], expected: bool
) -> None:
    """A second host is not taken out while the first is still drained; the only peer may go."""
    admission = Admission({"web": dict.fromkeys(peers, "one")}, drained=dict.fromkeys(drained, 30.0))
    assert admission.is_left_alone("web", targets) is expected


# --- what a host has noted

NOTED = Journal("Application", "1a9b07", "4f2c1e", "kim@desk", "2026-07-24T14:41:07+00:00", ("web1", "web2"), "paused")


def test_a_journal_is_read_as_it_was_written() -> None:
    """With the record that serves, in one answer."""
    standing = StandingFact().process(["current 1a9b07.json", f"journal {json.dumps(asdict(NOTED))}"])
    assert (standing.current, standing.journal) == ("1a9b07", NOTED)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "garbage",
        "{",
        "[]",
        "null",
        "7",
        '"text"',
        "{}",
        '{"hosts": 5}',
        json.dumps({**asdict(NOTED), "hosts": None}),
        json.dumps({**asdict(NOTED), "unheard": "of"}),
        json.dumps({key: value for key, value in asdict(NOTED).items() if key != "before"}),
    ],
)
def test_a_journal_that_somebody_made_unreadable_is_none(text: str) -> None:
    """Half written, edited or of another kind: no exception, and what serves is known all the same."""
    standing = StandingFact().process(["current 1a9b07.json", f"journal {text}"])
    assert (standing.current, standing.journal) == ("1a9b07", None)


def test_a_host_without_anything_has_nothing_in_progress() -> None:
    """Neither a release nor a journal."""
    assert StandingFact().process([]) == StandingFact.default()


# --- turns


@pytest.fixture
def here() -> Iterator[Host]:
    """This machine as a host: pyinfra's own way of running a command without SSH."""
    seam.install()
    state = State(Inventory((["@local"], {})), Config())
    state.set_stage(StateStage.Connect)
    with ctx_state.use(state):
        connect_all(state)
        state.set_stage(StateStage.Prepare)
        host = next(iter(state.inventory))
        with ctx_host.use(host):
            yield host


@operation()
def taken_out(path: str) -> Iterator[StringCommand]:
    """Leaves a trace of its command, after having said what that takes out of service."""
    disrupts(Disruption("web-1", takes={"web": 1}))
    yield script('echo ran >> "$1"', path)


def execute(host: Host) -> bool:
    host.state.set_stage(StateStage.Execute)
    return run_operation(host.state, host, host.op_hash_order[-1])


def test_nothing_is_asked_while_a_run_is_prepared(here: Host, tmp_path: Path) -> None:
    """A plan takes nothing out of service: its operations are told of no turn."""
    asked: list[Disruption] = []
    handle_disruptions(here, asked.append)
    taken_out(name="Take out", path=str(tmp_path / "trace"))
    assert asked == []
    assert execute(here)
    assert asked == [Disruption("web-1", takes={"web": 1})]


def test_an_operation_that_waits_for_its_turn_has_changed_nothing_and_runs_in_its_turn(
    here: Host, tmp_path: Path
) -> None:
    """Before the turn no command has run, however often it is tried; in the turn the same operation runs once."""
    trace = tmp_path / "trace"
    taken_out(name="Take out", path=str(trace))

    def not_yet(disruption: Disruption) -> None:
        raise TurnNeeded

    handle_disruptions(here, not_yet)
    for _ in range(2):
        with pytest.raises(TurnNeeded):
            execute(here)
        assert not trace.exists()
    handle_disruptions(here, lambda disruption: None)
    assert execute(here)
    assert trace.read_text() == "ran\n"


def test_without_anybody_to_ask_an_operation_just_runs(here: Host, tmp_path: Path) -> None:
    """What this host was told of its turns ends with its stage."""
    taken_out(name="Take out", path=str(tmp_path / "trace"))

    def not_yet(disruption: Disruption) -> None:
        raise TurnNeeded

    handle_disruptions(here, not_yet)
    handle_disruptions(here, None)
    assert execute(here)
    assert (tmp_path / "trace").exists()


def test_a_fleet_that_cannot_bear_it_fails_the_operation_with_the_reason(here: Host, tmp_path: Path) -> None:
    """It is this host's failure, in the gate's own words, and no command has run."""
    taken_out(name="Take out", path=str(tmp_path / "trace"))

    def refuse(disruption: Disruption) -> None:
        raise NotNow("web1 cannot be changed now")

    handle_disruptions(here, refuse)
    assert not execute(here)
    errors: dict[str, Any] = here.connector_data["slipway_errors"]
    assert list(errors.values()) == ["web1 cannot be changed now"]
    assert not (tmp_path / "trace").exists()
