"""What an inventory says of its reconciles is validated like all data, before the first connection."""

from __future__ import annotations

from pathlib import Path

import pytest

from slipway.engine.declare import declare
from slipway.engine.inventory import find_inventory
from slipway.reconcile.settings import Noise
from tests.wrong_project import WrongProject, wrong_project


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WrongProject:
    monkeypatch.chdir(tmp_path)
    return wrong_project(tmp_path)


def saying(project: WrongProject, text: str) -> list[str]:
    project.append("group_data/all.py", f"reconcile = {text}\n")
    return [str(problem) for problem in project.problems()]


def test_noise_is_read_and_reaches_the_run(project: WrongProject) -> None:
    """With its defaults: any host, any role."""
    text = '{"noise": [{"subject": "/etc/motd", "reason": "the provider writes it"}]}'
    assert saying(project, text) == []
    run = declare(find_inventory("fleet"), [project.path / "deploy.py"])
    assert run.reconcile.noise == [Noise(subject="/etc/motd", reason="the provider writes it")]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"noize": []}', "reconcile.noize: unknown key"),
        ('{"noise": {}}', "reconcile.noise: must be a valid list"),
        ('{"noise": [{"subject": "/x"}]}', "reconcile.noise.0.reason: is missing"),
        ('{"noise": [{"reason": "because"}]}', "would call everything noise"),
        ('{"noise": [{"role": "redsi", "reason": "r"}]}', "reconcile.noise.0.role: no role is called 'redsi'"),
        ('{"noise": [{"host": "worker9*", "reason": "r"}]}', "reconcile.noise.0.host: no host is called 'worker9*'"),
        ('{"every": 5}', "reconcile.every: must be greater than or equal to 60"),
        ('{"metrics": "textfiles"}', "reconcile.metrics: must be an absolute path"),
        ('{"heartbeat": ""}', "reconcile.heartbeat: must be the name of a secret"),
        ('"nothing"', "reconcile: must be a valid dictionary"),
    ],
)
def test_a_slip_of_the_pen_is_one_problem_with_its_place(project: WrongProject, text: str, told: str) -> None:
    """Where it stands, and what is wrong with it."""
    problems = saying(project, text)
    assert len(problems) == 1, problems
    assert told in problems[0]
    assert "group_data/all.py" in problems[0]


@pytest.mark.parametrize(
    "text", ['{"notify": ["%s"]}', '{"notify": "%s"}', '{"heartbeat": "%s"}', '{"heartbeat": ["%s"]}']
)
def test_an_address_where_its_name_belongs_is_shown_to_nobody(project: WrongProject, text: str) -> None:
    """Whoever has the address can write to the chat."""
    problems = saying(project, text % "https://hooks.example.com/c4n4ry")
    assert problems
    assert "c4n4ry" not in "".join(problems)


def test_hosts_of_one_inventory_have_one_setting(project: WrongProject) -> None:
    """Set for a group only, it would mean something else on other hosts."""
    project.append("group_data/redis.py", 'reconcile = {"noise": [{"subject": "/a", "reason": "r"}]}\n')
    (problem,) = saying(project, '{"noise": []}')
    assert "differs between hosts of one inventory" in problem
