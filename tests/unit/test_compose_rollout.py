"""How a release goes through the hosts, as the Compose file says it."""

from __future__ import annotations

from pathlib import Path

import pytest

from slipway.compose import Stack, load
from slipway.compose.extension import CanarySettings, Rollout
from slipway.compose.parts import UpdateConfig

WEB = "  web: {image: 'web:1', x-slipway: {edge: {hosts: a.example.com, port: 80}%s}, stop_grace_period: 60s%s}\n"


def stack(directory: Path, extension: str, *, x: str = "", deploy: str = "") -> Stack:
    """A stack with one service behind the edge, whose `x-slipway` begins with this."""
    path = directory / "compose.yaml"
    path.write_text(f"name: shop\nx-slipway: {{{extension}}}\nservices:\n{WEB % (x, deploy)}")
    return load(path, variables={"WAIT": "90s", "SHARE": "25"})


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        ("keep_releases: 3", Rollout()),
        ("rollout: {}", Rollout()),
        ("rollout: ", Rollout()),
        ("rollout: {first_host: true}", Rollout(first_host=True)),
        ("rollout: {first_host: true, promote_after: 2m}", Rollout(first_host=True, promote_after=120)),
        ("rollout: {first_host: true, promote_after: $WAIT}", Rollout(first_host=True, promote_after=90)),
        ("rollout: {progress_deadline: 1h30m}", Rollout(progress_deadline=5400)),
        ("rollout: {min_healthy: 0.75}", Rollout(min_healthy=0.75)),
        ("rollout: {min_healthy: 1}", Rollout(min_healthy=1)),
        ("rollout: {moved_hosts: stay}", Rollout(moved_hosts="stay")),
        ("rollout: {moved_hosts: go_back}", Rollout(moved_hosts="go_back")),
        ("rollout: {unreachable: continue}", Rollout(unreachable="continue")),
    ],
)
def test_a_rollout_is_read(written: str, wanted: Rollout, tmp_path: Path) -> None:
    """Every key of `x-slipway.rollout` becomes its typed value, and what is left out its default."""
    assert stack(tmp_path, written).rollout == wanted


def test_a_rollout_that_says_nothing_is_careful(tmp_path: Path) -> None:
    """All hosts together, ten minutes for a batch, half of the replicas elsewhere, no roll past an absent host."""
    found = stack(tmp_path, "").rollout
    assert (found.first_host, found.progress_deadline, found.min_healthy) == (False, 600, 0.5)
    assert (found.promote_after, found.moved_hosts, found.unreachable) == (None, None, "refuse")


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        ("keep_releases: 3", None),
        ("canary: {weight: 10}", CanarySettings(weight=10, by="cookie")),
        ("canary: {weight: 0}", CanarySettings(weight=0)),
        ("canary: {weight: 100, by: address}", CanarySettings(weight=100, by="address")),
        ("canary: {weight: $SHARE}", CanarySettings(weight=25)),
        (
            "canary: {weight: 5, by: header, header: X-User-Id}",
            CanarySettings(weight=5, by="header", header="X-User-Id"),
        ),
    ],
)
def test_a_canary_is_read(written: str, wanted: CanarySettings | None, tmp_path: Path) -> None:
    """Every key of `x-slipway.canary` becomes its typed value; without the key there is none."""
    assert stack(tmp_path, written).canary == wanted


def test_the_parts_of_the_stack_do_not_hide_each_other(tmp_path: Path) -> None:
    """Rollout, canary, migration and the rest are read beside each other."""
    found = stack(
        tmp_path,
        "rollout: {first_host: true}, canary: {weight: 1}, migrate: {service: web, command: up}, keep_releases: 9",
    )
    assert (found.rollout.first_host, found.canary, found.release.keep_releases) == (True, CanarySettings(weight=1), 9)
    assert found.migration is not None
    assert found.migration.command == ("up",)


def test_a_service_without_an_edge_takes_no_part_in_a_canary(tmp_path: Path) -> None:
    """A singleton and a fixed port beside the edge's services are in nobody's way."""
    path = tmp_path / "compose.yaml"
    path.write_text(
        f"name: shop\nx-slipway: {{canary: {{weight: 10}}}}\nservices:\n{WEB % ('', '')}"
        "  clock: {image: 'clock:1', x-slipway: {singleton: true}}\n  mail: {image: 'mail:1', ports: ['25:25']}\n"
    )
    assert load(path, variables={}).canary == CanarySettings(weight=10)


def test_a_rollback_that_is_not_described_has_the_defaults_and_not_the_updates(tmp_path: Path) -> None:
    """`update_config` says nothing about a rollback: one host at a time, stop-first, stopping at a failure."""
    found = stack(tmp_path, "", deploy=", deploy: {update_config: {order: start-first, parallelism: 3, monitor: 30s}}")
    rollback = found.service("web").rollback
    assert rollback == UpdateConfig()
    assert (rollback.parallelism, rollback.delay, rollback.order) == (1, 0, "stop-first")
    assert (rollback.failure_action, rollback.monitor, rollback.max_failure_ratio) == ("pause", 5, 0)


@pytest.mark.parametrize(("drain", "noted"), [("10", True), ("29.9", True), ("30", False), ("2m", False)])
def test_a_drain_shorter_than_the_applications_time_out_is_noted(drain: str, noted: bool, tmp_path: Path) -> None:
    """Requests that outlive the drain have only the stop grace left; the operator is told, with file and line."""
    notes = stack(tmp_path, "", x=f", timeout_seconds: 30, drain_seconds: {drain}").notes
    where = f"{tmp_path}/compose.yaml:4: services.web: drain_seconds is {drain} s"
    assert [note.partition(",")[0] for note in notes] == ([where] if noted else [])


def test_a_drain_of_what_the_edge_does_not_reach_is_not_noted(tmp_path: Path) -> None:
    """A queue worker has no requests that an edge could drain."""
    path = tmp_path / "compose.yaml"
    path.write_text(
        "name: shop\nservices:\n  job: {image: 'job:1', stop_grace_period: 90s, x-slipway: {timeout_seconds: 60}}\n"
    )
    assert load(path, variables={}).notes == ()
