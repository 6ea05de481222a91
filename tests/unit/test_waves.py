"""In which order and how many together: replicas on one host, hosts of the fleet."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from roles.app.data import App
from roles.app.rolling import hosts_at_once, policy
from roles.app.waves import beside, levels, waves
from slipway.compose import load
from slipway.context import Context
from slipway.fleet import Fleet, Member
from slipway.release import release_of
from slipway.rollout import RollPolicy
from slipway.secrets import Secrets

IMAGE = "registry.test/shop@sha256:" + "0" * 64
HOSTS = ("w1", "w2", "w3")


def context(folder: Path, services: str, host: str = "w1", hosts: int = 1, top: str = "", **changed: Any) -> Context:
    """A host of a fleet of so many, whose stack has these services."""
    (folder / "compose.yaml").write_text("\n".join(["name: shop", top, "services:", services, ""]))
    members = tuple(Member(name, f"10.0.0.{n}", ("workers",)) for n, name in enumerate(HOSTS[:hosts], 1))
    fleet, secrets = Fleet("test", members), Secrets("test", lambda name: None)
    stack = load(folder / "compose.yaml", variables={})
    return replace(Context(fleet.member(host), fleet, secrets, stack, release_of(stack, fleet, secrets)), **changed)


def service(name: str, replicas: int = 1, parallelism: int | None = None, more: str = "", **update: Any) -> str:
    """A service as one line of YAML."""
    given = {**({} if parallelism is None else {"parallelism": parallelism}), **update}
    config = ", ".join(f"{key}: {value}" for key, value in given.items())
    return f"  {name}: {{image: {IMAGE}, deploy: {{replicas: {replicas}, update_config: {{{config}}}}}{more}}}"


def order(ctx: Context) -> list[list[str]]:
    """Service and number of the replicas of each wave."""
    assert ctx.stack is not None
    return [[f"{r.spec.service}-{r.spec.replica}" for r in wave] for wave in waves(App(), ctx, ctx.stack)]


DEPENDS = ", depends_on: [{}]"


@pytest.mark.parametrize(
    ("services", "expected"),
    [
        ([service("web", 3)], [["web-1"], ["web-2"], ["web-3"]]),
        ([service("web", 3, 2)], [["web-1", "web-2"], ["web-3"]]),
        ([service("web", 3, 0)], [["web-1", "web-2", "web-3"]]),
        ([service("web", 3, 9)], [["web-1", "web-2", "web-3"]]),
        ([service("web", 0)], []),
        # Services that do not need each other go side by side, each at its own pace.
        ([service("web", 3), service("api", 2, 2), service("job")], [["web-1", "api-1", "api-2", "job-1"], ["web-2"],
                                                                     ["web-3"]]),
        # A service comes after all of those that it depends on, however the file has them.
        ([service("web", 2, more=DEPENDS.format("api")), service("api", 2)],
         [["api-1"], ["api-2"], ["web-1"], ["web-2"]]),
        ([service("c", more=DEPENDS.format("b")), service("b", more=DEPENDS.format("a")), service("a")],
         [["a-1"], ["b-1"], ["c-1"]]),
        ([service("a"), service("b", more=DEPENDS.format("a")), service("c", 2)], [["a-1", "c-1"], ["c-2"], ["b-1"]]),
        # What it depends on need not be on this host.
        ([service("web", more=DEPENDS.format("api")), service("api", 0)], [["web-1"]]),
    ],
)  # fmt: skip
def test_waves(tmp_path: Path, services: list[str], expected: list[list[str]]) -> None:
    """So many of a service together as its parallelism says, after all that it depends on; nobody is left out."""
    assert order(context(tmp_path, "\n".join(services))) == expected


def test_a_way_back_has_its_own_order(tmp_path: Path) -> None:
    """`rollback_config` says how many together and who starts first when a run goes back."""
    rollback = (
        f"  web: {{image: {IMAGE}, deploy: {{replicas: 2, rollback_config: {{parallelism: 2}}, update_config: {{}}}}}}"
    )
    forward = context(tmp_path, rollback)
    assert order(forward) == [["web-1"], ["web-2"]]
    assert order(replace(forward, is_rollback=True)) == [["web-1", "web-2"]]


def test_levels_without_services_are_none() -> None:
    """A host that runs nothing has no wave."""
    assert list(levels([])) == []


def test_a_replica_knows_how_it_takes_its_place(tmp_path: Path) -> None:
    """Drained only where the edges reach it; a singleton knows every other host of its group."""
    edge = ", x-slipway: {edge: {hosts: [shop.test], port: 8000}, drain_seconds: 9}"
    text = "\n".join([
        service("web", 2, order="start-first", more=edge),
        service("clock", more=", x-slipway: {singleton: true, drain_seconds: 9}"),
    ])  # fmt: skip
    ctx = context(tmp_path, text, hosts=2)
    assert ctx.stack is not None
    found = {r.spec.service: r for wave in waves(App(), ctx, ctx.stack) for r in wave}
    web, clock = found["web"], found["clock"]
    assert (web.order, web.drain_seconds, web.singleton_of) == ("start-first", 9, ())
    assert (clock.order, clock.drain_seconds, clock.singleton_of) == ("stop-first", 0, ("w2",))


def test_beside_the_one_before_stands_only_what_the_edges_can_tell_apart(tmp_path: Path) -> None:
    """A canary is of services with an edge, and starts first whatever the file says."""
    edge = ", x-slipway: {edge: {hosts: [shop.test], port: 8000}}"
    ctx = context(tmp_path, "\n".join([service("web", 2, 2, more=edge), service("job")]))
    assert ctx.stack is not None
    told = [(r.spec.service, r.order) for r in beside(waves(App(), ctx, ctx.stack)[0])]
    assert told == [("web", "start-first"), ("web", "start-first")]


@pytest.mark.parametrize(
    ("services", "hosts", "expected"),
    [
        ([service("web", 3)], 3, 1),  # one replica at a time is one host at a time
        ([service("web", 6)], 3, 1),
        ([service("web", 6, 2)], 3, 1),  # two replicas at a time are those of one host
        ([service("web", 6, 4)], 3, 2),
        ([service("web", 6, 5)], 3, 2),  # a third host would make six
        ([service("web", 6, 1)], 2, 1),  # fewer than one host's is still one host
        ([service("web", 6, 0)], 3, 0),  # all at once
        ([service("web", 3, 0), service("api", 3, 2)], 3, 2),  # the most careful one decides
        ([service("web", 4, 2)], 3, 1),  # uneven: the host with two decides
        ([service("web", 0, 1), service("api", 3, 0)], 3, 0),  # what does not run bounds nothing
        ([service("clock", 1, 1), service("api", 3, 3)], 3, 1),
    ],
)
def test_hosts_at_once(tmp_path: Path, services: list[str], hosts: int, expected: int) -> None:
    """Of no service more replicas than its parallelism are replaced at a time; 0 only where every service says so."""
    ctx = context(tmp_path, "\n".join(services), hosts=hosts)
    assert (hosts_at_once(ctx), policy(ctx).parallelism) == (expected, expected)


@pytest.mark.parametrize(
    ("services", "top", "action"),
    [
        ([service("a"), service("b")], "", "pause"),
        ([service("a", failure_action="rollback"), service("b")], "", "rollback"),
        ([service("a", failure_action="continue"), service("b")], "", "pause"),
        ([service("a", failure_action="continue"), service("b", failure_action="continue")], "", "continue"),
        ([service("a", failure_action="continue"), service("b", failure_action="rollback")], "", "rollback"),
        ([service("a", failure_action="rollback")], "x-slipway: {rollout: {moved_hosts: stay}}", "pause"),
        ([service("a")], "x-slipway: {rollout: {moved_hosts: go_back}}", "rollback"),
    ],
)
def test_what_follows_a_failed_batch(tmp_path: Path, services: list[str], top: str, action: str) -> None:
    """Going on takes every service's word, going back one's; `moved_hosts` says it for the whole stack."""
    assert policy(context(tmp_path, "\n".join(services), top=top)).failure_action == action


def test_the_policy_is_that_of_the_most_careful(tmp_path: Path) -> None:
    """Longest delay, smallest share that may fail; the first host alone where the file wants it."""
    top = "x-slipway: {rollout: {first_host: true, promote_after: 60s, progress_deadline: 300s}}"
    text = "\n".join([service("a", delay="3s", max_failure_ratio=0.5), service("b", delay="8s", max_failure_ratio=0.2)])
    ctx = context(tmp_path, text, hosts=2, top=top)
    found = policy(ctx)
    assert (found.delay, found.max_failure_ratio, found.deadline) == (8, 0.2, 300)
    assert (found.first_alone, found.promote_after) == (True, 60)
    back = policy(replace(ctx, is_rollback=True))
    assert (back.first_alone, back.delay) == (False, 0)


def test_without_an_application_the_policy_is_plain() -> None:
    """An inventory that deploys only servers rolls them one by one."""
    fleet = Fleet("test", (Member("w1", "10.0.0.1", ("workers",)),))
    assert policy(Context(fleet.members[0], fleet, Secrets("none", lambda name: None))) == RollPolicy()
