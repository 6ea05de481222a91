"""What a deploy is going to ask, told without asking anybody."""

from __future__ import annotations

from pathlib import Path

import pytest

from slipway.engine.declare import declare
from slipway.engine.events import Events
from slipway.engine.foretell import foretell
from slipway.engine.inventory import find_inventory, read_inventory
from slipway.engine.run import Run
from slipway.engine.session import know_questions, real_run
from slipway.facts.machine import MachineFact
from slipway.paths import state_dir
from slipway.seam.together import Question
from tests.wrong_project import WrongProject, wrong_project

DEPLOY = """
from pyinfra import host
from pyinfra.api import FactBase, HiddenValue, OperationError, QuoteString, StringCommand, operation


class Told(FactBase):
    def command(self, word):
        return StringCommand("echo", word)


@operation()
def step(word, *more):
    if host.get_fact(Told, word=word) is None:
        raise OperationError(f"{word} is not there")
    for each in more:
        host.get_fact(Told, word=each)
    yield "touch /never"
    host.get_fact(Told, word="behind")


host.get_fact(Told, word="outside")
if host.name == "worker1":
    step("one", _sudo=True)
    step("two", "three", _sudo=True, _sudo_user="postgres")
    step(QuoteString(HiddenValue("a canary")))
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WrongProject:
    monkeypatch.chdir(tmp_path)
    made = wrong_project(tmp_path)
    (made.path / "deploy.py").write_text(DEPLOY)
    return made


def declared(project: WrongProject) -> Run:
    return declare(find_inventory("fleet"), [project.path / "deploy.py"])


def words(questions: tuple[Question, ...]) -> list[tuple[str, object]]:
    said = [(each.words, dict(each.privilege).get("_sudo_user")) for each in questions]
    return [(text, user) for text, user in said if text.startswith("echo ")]


def test_every_step_is_gone_through_as_if_nothing_were_there(project: WrongProject) -> None:
    """As whom it will be asked is part of it; one that cannot go on ends no other; secrets are not kept."""
    found = foretell(declared(project), ["worker1"])
    assert list(found) == ["worker1"]
    assert words(found["worker1"]) == [("echo outside", None), ("echo one", None), ("echo two", "postgres")]
    assert "canary" not in repr(found)
    assert any(each.words == MachineFact().command().get_raw_value() for each in found["worker1"])


def test_a_declared_run_is_as_it_was(project: WrongProject) -> None:
    """Nothing that was made up becomes part of what is going to run."""
    run = declared(project)
    foretell(run, ["worker1"])
    assert (run.machines, run.standing, run.validated) == ({}, {}, {})
    run.problems.raise_if_any()


def test_only_hosts_that_nobody_is_known_to_have_asked(project: WrongProject) -> None:
    """What a run has asked stands; a host outside of the limit is not thought of."""
    run = declared(project)
    real = real_run(run, read_inventory(find_inventory("fleet")), ["workers"], Events())
    hosts = {host.name: host.connector for host in real.state.inventory}
    know_questions(real, run)
    first = hosts["worker1"].memory.foreseen
    assert ("echo one", None) in words(first._learnt().questions)
    first.note(Question("echo known"))
    first.save()
    assert (state_dir() / "asked/fleet/worker1.json").is_file()
    know_questions(real, run)
    assert ("echo known", None) in words(first._learnt().questions) and not first.is_new
    away = {name for name, each in hosts.items() if not each.memory.foreseen._learnt().questions}
    assert away == {name for name in hosts if not name.startswith("worker")}
