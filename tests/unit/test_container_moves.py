"""What is to happen to a replica, whatever was found of it: which slot, what serves meanwhile, who is told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from pyinfra.api import Config, Inventory, State
from pyinfra.api.host import Host
from pyinfra.api.state import StateStage
from pyinfra.context import ctx_host, ctx_state

from slipway import seam
from slipway.container import PREVIOUS, ContainerSpec, Probe, Publish
from slipway.disruption import Disruption, handle_disruptions
from slipway.facts.containers import DockerState, Found
from slipway.ops.containers import Move, Replica, disrupts_starting, move_of
from slipway.rollout import Peer

SLOTS = ("10.0.0.1:18000", "10.0.0.1:18005")
SERVES = tuple(Publish("10.0.0.1", port, 8000) for port in (18000, 18005))
PLAIN = ContainerSpec("shop", "web", 1, "one", "shop:1", "shop", serves=SERVES, probe=Probe("/ready", 8000))
ONE, TWO, THREE = (replace(PLAIN, release=release) for release in ("one", "two", "three"))
NAME = "shop-web-1"
STOP, START = "stop-first", "start-first"


def found(spec: ContainerSpec, slot: int = 0, status: str = "running", suffix: str = "", **fields: Any) -> Found:
    """A container as it was made of the specification in that slot."""
    labels = replace(spec, slot=slot).own_labels()
    return Found(f"{spec.name}{suffix}", "sha256:1", status, labels, restart=spec.restart, **fields)


def host_with(*containers: Found, unproven: bool = False) -> DockerState:
    """A host with these, whose image is the one that the file means."""
    names = frozenset([NAME]) if unproven else frozenset()
    return DockerState({each.name: each for each in containers}, {"shop:1": "sha256:1"}, unproven=names)


current_one, current_two = found(ONE, 0), found(TWO, 1)
previous_one = found(ONE, 0, "exited", PREVIOUS)
previous_runs = found(ONE, 0, "running", PREVIOUS)

# What is there, what is wanted: mode and slot; what serves, what else is in the way, what a failure goes back to.
MOVES: dict[str, tuple[DockerState, ContainerSpec, str, str, int, Found | None, Found | None, Found | None]] = {
    "nothing there": (host_with(), ONE, STOP, "replace", 0, None, None, None),
    "the same, stopped": (host_with(found(ONE, 0, "exited")), ONE, STOP, "start", 0, found(ONE, 0, "exited"), None,
                          None),
    "the same, stopped in the other slot": (host_with(found(ONE, 1, "exited")), ONE, START, "start", 1,
                                            found(ONE, 1, "exited"), None, None),
    "changed": (host_with(current_one), TWO, START, "replace", 1, current_one, None, current_one),
    "changed, and back in the first slot": (host_with(current_two), THREE, START, "replace", 0, current_two, None,
                                            current_two),
    "another image": (host_with(replace(current_one, image="sha256:2")), ONE, STOP, "replace", 1,
                      replace(current_one, image="sha256:2"), None, replace(current_one, image="sha256:2")),
    "a limit that cannot be lifted": (host_with(replace(current_one, memory=5)), ONE, STOP, "replace", 1,
                                      replace(current_one, memory=5), None, replace(current_one, memory=5)),
    "a first attempt, wanted again": (host_with(current_one, unproven=True), ONE, STOP, "start", 0, current_one, None,
                                      None),
    "a first attempt, given up": (host_with(current_one, unproven=True), TWO, STOP, "replace", 1, current_one, None,
                                  current_one),
    "an attempt after the old one stopped, wanted again":
        (host_with(current_two, previous_one, unproven=True), TWO, STOP, "start", 1, current_two, None, previous_one),
    "an attempt before the old one stopped, wanted again":
        (host_with(current_two, previous_runs, unproven=True), TWO, STOP, "start", 1, current_two, previous_runs,
         previous_runs),
    "an attempt beside the old one, wanted again":
        (host_with(current_two, previous_runs, unproven=True), TWO, START, "start", 1, current_two, None,
         previous_runs),
    "an attempt beside the old one, given up":
        (host_with(current_two, previous_runs, unproven=True), THREE, START, "replace", 1, previous_runs, None,
         previous_runs),
    "an attempt, and back to the old one":
        (host_with(current_two, previous_one, unproven=True), ONE, STOP, "replace", 1, previous_one, None,
         previous_one),
    "proved, the old one not yet stopped":
        (host_with(current_two, previous_runs), THREE, START, "replace", 0, current_two, previous_runs, current_two),
    "proved, the old one stopped and kept":
        (host_with(current_two, previous_one), THREE, START, "replace", 0, current_two, None, current_two),
    "proved and died, the old one stopped and kept":
        (host_with(found(TWO, 1, "exited"), previous_one), TWO, START, "start", 1, found(TWO, 1, "exited"), None,
         previous_one),
    "renamed, and the new one not yet made":
        (host_with(previous_runs), TWO, START, "replace", 1, previous_runs, None, previous_runs),
    "the new one was removed by hand":
        (host_with(previous_one), TWO, STOP, "replace", 1, previous_one, None, previous_one),
}  # fmt: skip


@pytest.mark.parametrize("case", MOVES)
def test_what_is_to_happen(case: str) -> None:
    """Never in the slot of what serves; what fell is told from what serves; a failure has something to go back to."""
    state, wanted, order, mode, slot, serving, besides, before = MOVES[case]
    move = move_of(Replica(wanted, order), state)  # type: ignore[arg-type]
    assert (move.mode, move.spec.slot) == (mode, slot)
    assert (move.serving, move.besides, move.before) == (serving, besides, before)
    assert replace(move.spec, slot=0) == replace(wanted, slot=0)


def test_slots_alternate_over_releases() -> None:
    """Each release comes up where the one before it is not."""
    state, taken = host_with(), []
    for release in "abcd":
        move = move_of(Replica(replace(PLAIN, release=release), "start-first"), state)
        taken.append(move.spec.peer)
        state = host_with(found(move.spec, move.spec.slot))
    assert taken == [*SLOTS, *SLOTS]


def test_what_the_edges_do_not_reach_has_no_slot() -> None:
    """A worker's container is replaced in its place; there is no port to share."""
    worker = replace(PLAIN, serves=())
    state = DockerState({NAME: found(worker)}, {"shop:1": "sha256:1"})
    move = move_of(Replica(replace(worker, release="two")), state)
    assert (move.spec.slot, move.spec.peer, move.spec.published) == (0, "", ())


def test_the_words_ask_the_one_before_where_it_answers() -> None:
    """A failure proves what it goes back to at that container's own port, and the new one at its own."""
    state = host_with(current_two, previous_one, unproven=True)
    for wanted in (TWO, THREE):
        words = move_of(Replica(wanted), state).words()
        assert words[6:8] == ["10.0.0.1", "18005"]
        assert words[14:16] == ["10.0.0.1", "18000"]


# --- what the engine is told before the first command


@pytest.fixture
def executing() -> Iterator[Host]:
    """This machine as a host of a run that executes; nothing is run on it."""
    seam.install()
    state = State(Inventory((["@local"], {})), Config())
    state.set_stage(StateStage.Execute)
    host = next(iter(state.inventory))
    with ctx_state.use(state), ctx_host.use(host):
        yield host


def told(host: Host, state: DockerState, *moves: Move) -> Disruption:
    """What these moves say to whoever decides whether it is their turn."""
    heard: list[Disruption] = []
    handle_disruptions(host, heard.append)
    disrupts_starting(moves, state, None)
    return heard[0]


def test_a_first_release_waits_for_nobody(executing: Host) -> None:
    """Nothing runs that could be missed."""
    state = host_with()
    said = told(executing, state, move_of(Replica(ONE, "start-first"), state))
    assert not said.needs_turn
    assert (said.drain, said.takes, said.adds_replicas, said.dismiss) == ((), {}, {}, ())
    assert (said.admit, said.needs_ports) == ((Peer("web", SLOTS[0], "one"),), SLOTS[:1])


def test_a_replacement_that_stops_first_is_taken_out_first(executing: Host) -> None:
    """Its requests go elsewhere before anything is touched, and it counts as missing; the new one takes its place."""
    state = host_with(current_one)
    said = told(executing, state, move_of(Replica(TWO, "stop-first", drain_seconds=7), state))
    assert said.needs_turn
    assert (said.drain, said.drain_seconds, said.takes) == (SLOTS[:1], 7, {"web": 1})
    assert (said.admit, said.dismiss) == ((Peer("web", SLOTS[1], "two"),), SLOTS[:1])
    assert (said.adds_replicas, said.adds_memory, said.needs_ports) == ({}, 0, SLOTS[1:])


def test_a_replacement_that_starts_first_takes_nothing_away_but_room(executing: Host) -> None:
    """Nobody is drained or missing; its memory and its connections come on top."""
    state = host_with(current_one)
    said = told(executing, state, move_of(Replica(replace(TWO, memory_reservation=1 << 30), "start-first", 7), state))
    assert said.needs_turn
    assert (said.drain, said.drain_seconds, said.takes, said.dismiss) == ((), 0, {}, ())
    assert (said.adds_replicas, said.adds_memory, said.needs_ports) == ({"web": 1}, 1 << 30, SLOTS[1:])
    assert said.admit == (Peer("web", SLOTS[1], "two"),)


def test_replicas_that_go_together_are_counted_together(executing: Host) -> None:
    """Of each service so many, of both orders."""
    second, clock = replace(PLAIN, replica=2, serves=()), replace(PLAIN, service="clock", serves=())
    state = DockerState(
        {each.name: each for each in (current_one, found(second), found(clock))}, {"shop:1": "sha256:1"}
    )
    wanted = [
        Replica(replace(PLAIN, release="two")),
        Replica(replace(second, release="two")),
        Replica(replace(clock, release="two"), "start-first"),
    ]
    said = told(executing, state, *(move_of(replica, state) for replica in wanted))
    assert (said.takes, said.adds_replicas) == ({"web": 2}, {"clock": 1})
    assert said.subject == "web-1, web-2, clock-1"


@pytest.mark.parametrize("status", ["exited", "paused", "restarting"])
def test_what_does_not_serve_is_not_missed(executing: Host, status: str) -> None:
    """A container that is down takes no healthy replica away when it is started or replaced."""
    state = host_with(found(ONE, 0, status))
    for wanted in (ONE, TWO):
        assert told(executing, state, move_of(Replica(wanted), state)).takes == {}


@pytest.mark.parametrize("wanted", [ONE, TWO])
def test_what_was_never_seen_ready_is_not_missed(executing: Host, wanted: ContainerSpec) -> None:
    """It runs, but nobody knows whether it serves: the gate must not refuse to mend it."""
    state = host_with(current_one, unproven=True)
    assert told(executing, state, move_of(Replica(wanted), state)).takes == {}


def test_the_one_that_serves_beside_an_attempt_goes_on_serving(executing: Host) -> None:
    """Beside an attempt of a run that died the old one still has the requests: it is neither drained nor dismissed."""
    state = host_with(current_two, previous_runs, unproven=True)
    for wanted in (TWO, THREE):
        said = told(executing, state, move_of(Replica(wanted, "start-first"), state))
        assert SLOTS[0] not in said.drain
        assert (said.takes, said.dismiss) == ({}, ())


def test_the_one_that_an_attempt_is_about_to_stop_is_taken_out_first(executing: Host) -> None:
    """A run died after it had made the new one and before it stopped the old one: that is still in service."""
    state = host_with(current_two, previous_runs, unproven=True)
    said = told(executing, state, move_of(Replica(TWO, "stop-first"), state))
    assert SLOTS[0] in said.drain
    assert (said.takes, said.dismiss) == ({"web": 1}, SLOTS[:1])


@pytest.mark.parametrize(
    ("state", "wanted"),
    [
        (host_with(current_two, previous_runs), THREE),
        (host_with(current_two, previous_runs, unproven=True), THREE),
        (host_with(current_two, previous_runs, unproven=True), ONE),
    ],
    ids=["not yet stopped", "given up", "and back"],
)
def test_a_port_that_our_own_leftover_has_is_not_taken(
    executing: Host, state: DockerState, wanted: ContainerSpec
) -> None:
    """What a run that died has left in that slot is removed first: its port is not somebody else's."""
    assert told(executing, state, move_of(Replica(wanted, "start-first"), state)).needs_ports == ()


def test_a_leftover_is_given_up_only_when_its_successor_has_the_requests(executing: Host) -> None:
    """A run died before the edges knew the new one: they get to know it before the old one is taken from them."""
    state = host_with(current_two, previous_runs)
    said = told(executing, state, move_of(Replica(THREE, "start-first"), state))
    assert said.drain == SLOTS[:1]
    assert said.admit_first == (Peer("web", SLOTS[1], "two"),)
    assert said.admit == (Peer("web", SLOTS[0], "three"),)
    assert said.dismiss == ()
