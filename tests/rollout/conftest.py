"""The demo stack, two replicas of each service with an edge on each of three hosts, deployed once for all scenarios."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.labs import lab_of_tests
from tests.rollout.fleet import EDGE_DRAIN_SECONDS, SERVICES, SOCKETS_DRAIN_SECONDS, Fleet, new_variant
from tests.stack.project import BEGUN, ROOT, DemoProject, Variant, deployed

NAME = "test-rollout"
MONITOR = "2s"
"""The demo watches each new container for five seconds; scenarios of what dies later say so themselves."""


@dataclass
class _Current:
    """What the fleet was last brought to, and what before that."""

    project: Variant
    before: Variant


@pytest.fixture(scope="package")
def current(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Current]:
    """Seven bare hosts, then one deploy of what every scenario begins with."""
    lab = lab_of_tests(NAME)
    project = new_variant(DemoProject(ROOT, lab), tmp_path_factory.mktemp("rollout") / "first")
    _settle(project)
    with deployed(lab, project):
        yield _Current(project, project)


@pytest.fixture
def fleet(current: _Current) -> Fleet:
    return Fleet(current.project)


@pytest.fixture
def variant(current: _Current, tmp_path: Path) -> Iterator[Variant]:
    """A copy of what was last deployed, to edit and deploy.

    The next scenario begins with what this one leaves: that copy, or what was there before, if the fleet is as one of
    these wants it. Else the fleet is brought back.
    """
    copy = new_variant(current.project, tmp_path / "project")
    yield copy
    while BEGUN:
        BEGUN.pop().kill()
    left = next((each for each in (copy, current.project, current.before) if each.plan()["hosts"] == {}), None)
    if left is None:
        # One that failed may have left a canary, and nothing else comes beside that.
        current.project.slipway("canary", "lab", "abort")
        current.project.deploy()
    elif left is not current.project:
        current.project, current.before = left, current.project
    _forget_policy(current.project)


def _forget_policy(project: Variant) -> None:
    """How a scenario's release was to come is not how the next one's is: a first host that goes alone waits for ever
    where nobody knows of it."""
    with project.compose() as document:
        had = [key for key in ("rollout", "canary") if document["x-slipway"].pop(key, None)]
    if had:
        project.deploy()


def _settle(project: Variant) -> None:
    """Two replicas on each host, replaced together, and times as short as 10-second requests allow."""
    project.add_group_data("lab", f'nginx["drain_seconds"] = {EDGE_DRAIN_SECONDS}')
    with project.compose() as document:
        services = document["services"]
        for name in SERVICES:
            services[name]["deploy"]["update_config"]["monitor"] = MONITOR
            # Thirty of them a minute took a quarter of a core; a roll asks at once, whatever the interval.
            services[name]["healthcheck"]["interval"] = "10m"
        for name in ("api", "ws"):
            # Two cores carry seven hosts, the load and whatever else is tested: a program takes long to start then.
            services[name]["x-slipway"]["ready"]["timeout_seconds"] = 150
            services[name]["deploy"]["replicas"] = 6
            services[name]["deploy"]["update_config"]["parallelism"] = 2
            services[name]["deploy"]["rollback_config"] = {"parallelism": 2, "monitor": MONITOR}
        # What is not done by then is finished within the stop grace.
        services["api"]["x-slipway"] |= {"drain_seconds": 11, "timeout_seconds": 15}
        services["ws"]["x-slipway"] |= {"drain_seconds": 1, "timeout_seconds": SOCKETS_DRAIN_SECONDS}
        # By address, all WebSockets of the load would be at one container: it comes from one address.
        services["ws"]["x-slipway"]["edge"]["balance"] = "least_conn"
        services["ws"]["environment"]["DRAIN_SECONDS"] = str(SOCKETS_DRAIN_SECONDS)
