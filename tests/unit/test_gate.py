"""What the gate makes of the hosts' answers: who would be left, and what does not suffice. Asked for real on hosts in
tests/roles/test_app_rolling_hosts.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from roles.app.gate import gate
from slipway.compose import load
from slipway.context import Context
from slipway.facts.containers import DockerState, Found
from slipway.fleet import Fleet, Member
from slipway.remote import Remote, RemoteFailed
from slipway.rollout import Load
from slipway.secrets import Secrets

COMPOSE = """\
name: shop
x-slipway: {rollout: {min_healthy: SHARE}}
services:
  web: {image: tiny:1, deploy: {replicas: REPLICAS}}
  clock: {image: tiny:1, deploy: {replicas: 1}, x-slipway: {singleton: true}}
  db:
    image: postgres:17
    environment: {POSTGRES_DB: shop, POSTGRES_USER: shop, POSTGRES_PASSWORD_FILE: /run/secrets/key}
    secrets: [key]
secrets: {key: {external: true}}
"""
FLEET = Fleet(
    "test",
    (
        *(Member(f"w{n}", f"10.0.0.{n}", ("workers",)) for n in (1, 2, 3)),
        Member("db1", "10.0.0.9", ("postgres",)),
    ),
)
ROOM = ["memory 8388608", "disk 10485760"]
NOTHING = Load({}, {}, 0, ())


class Answering(Remote):
    """A host by its answers, as real ones gave them."""

    def __init__(self, name: str, state: DockerState | None = None, said: list[str] | None = None) -> None:
        self.name, self._state, self._said = name, state or DockerState(), said

    def fact(self, fact: Any, **arguments: Any) -> Any:
        if self._said == ["off"]:
            raise RemoteFailed(self.name, ["no answer within 80 s"])
        return self._state

    def run(self, command: Any, timeout: int = 60, stdin: bytes | None = None) -> list[str]:
        return ROOM if self._said is None else self._said


def context(folder: Path, replicas: int = 3, share: float = 0.5) -> Context:
    text = COMPOSE.replace("SHARE", str(share)).replace("REPLICAS", str(replicas))
    (folder / "compose.yaml").write_text(text)
    stack = load(folder / "compose.yaml", variables={})
    return Context(FLEET.member("w1"), FLEET, Secrets("test", lambda name: None), stack)


def web(replica: int = 1, suffix: str = "", **fields: Any) -> Found:
    labels = {"slipway.service": "web", "slipway.replica": str(replica)}
    return replace(Found(f"shop-web-{replica}{suffix}", "sha256:1", "running", labels), **fields)


def state(*containers: Found, unproven: frozenset[str] = frozenset()) -> DockerState:
    return DockerState({each.name: each for each in containers}, unproven=unproven)


def fleet_of(*states: DockerState) -> Mapping[str, Remote]:
    """Workers in order, as far as they are reached."""
    return {f"w{n}": Answering(f"w{n}", found) for n, found in enumerate(states, 1)}


WELL = state(web())
TAKES_ONE = replace(NOTHING, takes={"web": 1})


@pytest.mark.parametrize(
    ("share", "states", "taken", "refused"),
    [
        (0.5, [WELL, WELL, WELL], 1, ""),
        (0.5, [WELL, WELL, state()], 1, ""),  # one of three is left: half of three, rounded down
        (0.7, [WELL, WELL, WELL], 1, ""),
        (0.7, [WELL, WELL, state()], 1, "2 of 3 replicas are healthy; without 1 of them 1 would be left, and 2 must"),
        (1.0, [WELL, WELL, WELL], 1, "3 of 3 replicas are healthy; without 1 of them 2 would be left, and 3 must"),
        (0.0, [WELL, state(), state()], 1, "without 1 of them 0 would be left, and 1 must be"),
        (0.5, [WELL, WELL], 2, "2 of 3 replicas are healthy (not reached: w3); without 2 of them 0 would be left"),
        (0.5, [WELL, state(web(status="exited")), state(web(status="paused"))], 1, "1 of 3 replicas are healthy;"),
        (0.5, [WELL, state(web(health="unhealthy")), state()], 1, "1 of 3 replicas are healthy;"),
        (0.5, [WELL, state(web(restarts=5, up_seconds=1)), state()], 1, "1 of 3 replicas are healthy;"),
        # What was never seen ready may run without serving anybody.
        (0.5, [WELL, state(web(), unproven=frozenset({"shop-web-1"})), state()], 1, "1 of 3 replicas are healthy;"),
        # One and its successor beside it are one; the one before an attempt serves.
        (0.5, [WELL, state(web(suffix="-previous"), web()), state()], 1, ""),
        (0.5, [WELL, state(web(suffix="-previous"), web(), unproven=frozenset({"shop-web-1"}))], 1, ""),
        (0.7, [state(web(suffix="-previous"), web()), WELL, state()], 1, "2 of 3 replicas are healthy;"),
    ],
)  # fmt: skip
def test_enough_replicas_are_left(
    tmp_path: Path, share: float, states: list[DockerState], taken: int, refused: str
) -> None:
    """Healthy ones are counted as they are now, on every host that is reached; of several one at least is left."""
    said = gate(fleet_of(*states), "w1", replace(NOTHING, takes={"web": taken}), context(tmp_path, share=share))
    assert len(said) == bool(refused)
    assert refused in "".join(said)


def test_the_only_replica_may_go(tmp_path: Path) -> None:
    """There is nobody else; nor is there of a singleton; a service that has left the file is not counted at all."""
    load = replace(NOTHING, takes={"web": 1, "clock": 1, "gone": 1})
    assert gate(fleet_of(WELL), "w1", load, context(tmp_path, replicas=1)) == []


def test_who_adds_without_taking_away_asks_nobody(tmp_path: Path) -> None:
    """start-first takes no replica away: a fleet that is down does not keep it from coming up."""
    assert gate(fleet_of(state(), state()), "w1", NOTHING, context(tmp_path)) == []


def test_a_host_that_cannot_be_asked_is_no_empty_host(tmp_path: Path) -> None:
    """ "Could not tell" is an error, not a number."""
    remotes = {**fleet_of(WELL), "w2": Answering("w2", said=["off"])}
    with pytest.raises(RemoteFailed, match="w2: no answer"):
        gate(remotes, "w1", TAKES_ONE, context(tmp_path))


@pytest.mark.parametrize(
    ("said", "load", "told"),
    [
        (ROOM, replace(NOTHING, adds_memory=8192 << 20), ""),
        (ROOM, replace(NOTHING, adds_memory=8193 << 20),
         "memory: 8192 MiB are free, old and new together need 8193 MiB more (reservations)"),
        (["memory ", "disk 10485760"], replace(NOTHING, adds_memory=1 << 40), ""),  # nobody can tell
        (["memory 1", "disk 262144"], NOTHING, ""),
        (["memory 1", "disk 262143"], NOTHING,
         "disk: 255 MiB are free in /var/lib/docker, 256 MiB must be: slipway-prune 0"),
        (["memory 1", "disk "], NOTHING, ""),  # Docker is not there yet
        ([*ROOM, 'taken 10.0.0.1:18005 LISTEN 0 9 10.0.0.1:18005 0.0.0.0:* users:(("python3",pid=7,fd=3))'], NOTHING,
         'port 10.0.0.1:18005 is taken: "python3",pid=7,fd=3'),
        ([*ROOM, "taken 10.0.0.1:18005 LISTEN 0 9 10.0.0.1:18005 0.0.0.0:*"], NOTHING,
         "port 10.0.0.1:18005 is taken: by a process"),
    ],
)  # fmt: skip
def test_room_for_old_and_new_together(tmp_path: Path, said: list[str], load: Load, told: str) -> None:
    """Memory, disk and ports of the host; what is missing is told with both figures and what to do."""
    found = gate({"w1": Answering("w1", said=said)}, "w1", load, context(tmp_path))
    assert [line.strip() for line in found] == ([told] if told else [])


@pytest.mark.parametrize(
    ("database", "adds", "told"),
    [
        (["20", "10.0.0.1|10", "10.0.0.2|10"], 2, ""),
        (["19", "10.0.0.1|10", "10.0.0.2|10"], 2, ""),
        (["6", "10.0.0.1|10"], 2, "db: 6 connections are free, old and new together need about 7 more"),
        (["0", "10.0.0.2|90"], 2, ""),  # this host has none
        (["0"], 2, ""),
        (["0", "10.0.0.1|1"], 1, "db: 0 connections are free, old and new together need about 1 more"),
    ],
)
def test_database_connections_for_old_and_new_together(
    tmp_path: Path, database: list[str], adds: int, told: str
) -> None:
    """At what each replica of this host takes now: three run here, two come besides."""
    remotes = {"w1": Answering("w1"), "db1": Answering("db1", said=database)}
    load = replace(NOTHING, adds_replicas={"web": adds})
    found = gate(remotes, "w1", load, context(tmp_path, replicas=6))
    assert [line.strip() for line in found] == ([told] if told else [])


def test_everything_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    """Room first, then replicas."""
    remotes = {"w1": Answering("w1", WELL, ["memory 1024", "disk 1024"])}
    found = gate(remotes, "w1", replace(TAKES_ONE, adds_memory=1 << 30), context(tmp_path))
    assert [line.split(":")[0].strip() for line in found] == ["memory", "disk", "web"]


def test_without_an_application_nothing_is_asked() -> None:
    """An inventory that deploys only servers."""
    ctx = Context(FLEET.members[0], FLEET, Secrets("none", lambda name: None))
    assert gate({}, "w1", TAKES_ONE, ctx) == []
