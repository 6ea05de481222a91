"""Rotations as a whole, with deploys noted instead of done: nobody is turned away, whatever stops one and wherever."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from roles.postgres import role as postgres
from roles.postgres.logins import roles_of
from slipway.cli import main, secrets_rotate
from slipway.engine.declare import declare
from slipway.engine.inventory import find_inventory
from slipway.engine.rotating import left_behind
from slipway.role import Service
from slipway.secrets import open_source
from tests.wrong_project import WrongProject, bringing, wrong_project

SERVICES = "secrets: [session_key]"


@dataclass(frozen=True)
class Brought:
    """What one deploy has brought: what the server takes, as (login, value), and what the services are given."""

    takes: frozenset[tuple[str, str]]
    given: tuple[str, str]
    other: str = ""


@dataclass
class Deploys:
    """Stands in for the deploys: notes what each brings, and fails or dies where a test says so."""

    project: WrongProject
    name: str
    trouble: dict[int, int | type[BaseException]] = field(default_factory=dict)
    """Number of a deploy to its exit code, or to what it dies of; it has brought its part by then."""
    brought: list[Brought] = field(default_factory=list)
    sessions: list[list[str]] = field(default_factory=list)
    """What the server says of old sessions, call by call; nobody afterwards."""

    def deploy(self, *words: str) -> int:
        assert words[:2] == ("deploy", "fleet")
        self.brought.append(brought(self.project, self.name))
        trouble = self.trouble.pop(len(self.brought), 0)
        if isinstance(trouble, type):
            raise trouble
        return trouble

    def still_old(self, use: Any, source: Any) -> list[str]:
        return self.sessions.pop(0) if self.sessions else []


def brought(project: WrongProject, name: str) -> Brought:
    """What this project would bring now."""
    secrets = open_source("file:secrets.yaml", project.path)
    run = declare(find_inventory("fleet"), [project.path / "deploy.py"])
    stack = run.stack
    assert stack is not None
    values = frozenset(("", each.reveal()) for each in secrets.accepted(name))
    login = ""
    if name == "postgres_password":
        ctx = run.context(run.state.inventory.get_host("db1"))
        logins = [each for each in roles_of(postgres.wanted({}, ctx), ctx) if each.login and each.password]
        values = frozenset((each.name, _value(secrets, each.password or "")) for each in logins)
        login = stack.service("api").environment["DB_USER"]
    other = secrets.delivered(f"{name}.previous").reveal()
    return Brought(values, (login, secrets.get(name).reveal()), other)


def _value(secrets: Any, key: str) -> str:
    own, _, kind = key.partition(".")
    return str((secrets.version(own, kind) if kind else secrets.get(own)).reveal())


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WrongProject:
    """A project whose services follow the login of their password."""
    project = wrong_project(tmp_path)
    project.edit("stacks/demo/compose.yaml", "LEVEL: info", 'DB_USER: "${SLIPWAY_LOGIN_postgres_password:-demo}"')
    project.edit("stacks/demo/compose.yaml", SERVICES, "secrets: [session_key, postgres_password, redis_password]")
    monkeypatch.chdir(tmp_path)
    return project


def rotate(project: WrongProject, deploys: Deploys, monkeypatch: pytest.MonkeyPatch, *options: str) -> int:
    monkeypatch.setattr(secrets_rotate, "slipway", deploys.deploy)
    monkeypatch.setattr(secrets_rotate, "still_old", deploys.still_old)
    with pytest.raises(SystemExit) as ended:
        main(["secrets", "rotate", "fleet", deploys.name, *options])
    return int(ended.value.code or 0)


def entries(project: WrongProject) -> set[str]:
    return set(open_source("file:secrets.yaml", project.path).entries)


def assert_nobody_was_turned_away(first: Brought, brought: list[Brought]) -> None:
    """Whoever has what was given last is taken while a deploy goes on, and whoever gets what it gives."""
    for before, after in pairwise([first, *brought]):
        assert before.given in after.takes
        assert after.given in before.takes | after.takes
        assert after.given in after.takes


NATIVE = [("redis", "redis_password"), ("postgres", "postgres_password")]
TROUBLE = [{}, {1: 1}, {2: 75}, {3: 1}, {1: KeyboardInterrupt}, {2: SystemExit}, {3: KeyboardInterrupt}]


@pytest.mark.parametrize("trouble", TROUBLE, ids=str)
@pytest.mark.parametrize(("role", "name"), NATIVE)
def test_nobody_is_turned_away_whatever_stops_it(role: str, name: str, trouble: Any, project, monkeypatch) -> None:
    """Failed or killed in any deploy, and called again: one new value alone is left."""
    project.write("deploy.py", bringing(role, role))
    first = brought(project, name)
    deploys = Deploys(project, name, dict(trouble))
    for _ in range(1 + len(trouble)):
        code = rotate(project, deploys, monkeypatch)
    assert code == 0
    assert_nobody_was_turned_away(first, deploys.brought)
    assert len(deploys.brought) == 3 + len(trouble)
    assert len({each.given for each in [first, *deploys.brought]}) == 2, "one new value, not one for each call"
    last = deploys.brought[-1]
    assert last.takes == {last.given}
    assert entries(project) - {f"{name}.login"} == {"postgres_password", "redis_password", "session_key"}


def test_two_rotations_of_postgres_lead_back_to_the_first_login(project: WrongProject, monkeypatch) -> None:
    """The logins take turns."""
    project.write("deploy.py", bringing("postgres", "postgres"))
    deploys = Deploys(project, "postgres_password")
    first = brought(project, "postgres_password")
    for login in ("demo__b", "demo", "demo__b"):
        assert rotate(project, deploys, monkeypatch) == 0
        assert deploys.brought[-1].given[0] == login
    assert_nobody_was_turned_away(first, deploys.brought)


def test_what_is_still_in_use_is_not_revoked(project: WrongProject, monkeypatch, capsys) -> None:
    """It is told who, both stay valid, and the same command ends it once nobody does."""
    project.write("deploy.py", bringing("redis", "redis"))
    deploys = Deploys(project, "redis_password", sessions=[["redis on cache1: default from 192.0.2.99:4242"]])
    assert rotate(project, deploys, monkeypatch) == 1
    assert "redis on cache1: default from 192.0.2.99:4242" in capsys.readouterr().err
    assert len(deploys.brought[-1].takes) == 2
    assert rotate(project, deploys, monkeypatch) == 0
    assert len(deploys.brought[-1].takes) == 1


def test_a_container_of_another_release_is_left_behind() -> None:
    """As where a release comes by shares: it has the old value, whether it has a session now or not."""
    found = [
        ("worker1", Service("api-1", "healthy", True, "new")),
        ("worker1", Service("api-1-before", "shares the sessions", True, "old")),
        ("worker2", Service("api-2", "absent", False)),
    ]
    assert list(left_behind(found, "new")) == ["api-1-before on worker1 is of release old: shares the sessions"]


def test_what_not_everybody_knows_is_not_handed_out(project: WrongProject, monkeypatch, capsys) -> None:
    """With `next`, a replica that does not have the new value yet would refuse what others sign with it."""
    project.edit("stacks/demo/compose.yaml", "secrets: [session_key, ", "secrets: [session_key, session_key.next, ")
    project.append("stacks/demo/compose.yaml", "  session_key.next: {external: true}\n")
    deploys = Deploys(project, "session_key", sessions=[["api on worker3 is of release 1a9b07"]])
    before = brought(project, "session_key").given
    assert rotate(project, deploys, monkeypatch) == 1
    assert "Not everybody knows the new value:\n  api on worker3" in capsys.readouterr().err
    assert deploys.brought[-1].given == before
    assert rotate(project, deploys, monkeypatch) == 0
    assert deploys.brought[-1].given != before


def test_a_session_key_is_replaced_at_once(project: WrongProject, monkeypatch) -> None:
    """Nothing takes two of it: one new value and one deploy, which the same command brings again where it failed."""
    deploys = Deploys(project, "session_key", {1: 1})
    before = brought(project, "session_key").given
    assert rotate(project, deploys, monkeypatch) == 1
    assert rotate(project, deploys, monkeypatch) == 0
    assert len({each.given for each in deploys.brought} | {before}) == 2
    assert "session_key.revoked" not in entries(project)


@pytest.mark.parametrize("named", [["previous"], ["previous", "next"]])
def test_an_application_that_takes_two_is_given_two(
    named: list[str], project: WrongProject, monkeypatch, capsys
) -> None:
    """Until somebody says that what the old one has signed may end; with `next` the new one is there beforehand."""
    keys = ", ".join(f"session_key.{kind}" for kind in named)
    project.edit("stacks/demo/compose.yaml", "secrets: [session_key, ", f"secrets: [session_key, {keys}, ")
    for kind in named:
        project.append("stacks/demo/compose.yaml", f"  session_key.{kind}: {{external: true}}\n")
    deploys = Deploys(project, "session_key")
    before = brought(project, "session_key")
    assert before.other == before.given[1]
    assert rotate(project, deploys, monkeypatch) == 0
    assert rotate(project, deploys, monkeypatch) == 0, "again, and it is as it was"
    assert "Both values count" in capsys.readouterr().err
    assert len(deploys.brought) == (3 if "next" in named else 2)
    assert (deploys.brought[-1].other, deploys.brought[-1].given != before.given) == (before.given[1], True)
    assert rotate(project, deploys, monkeypatch, "--revoke") == 0
    assert deploys.brought[-1].other == deploys.brought[-1].given[1]
    assert entries(project) == {"postgres_password", "redis_password", "session_key"}


def test_a_short_outage_is_consented_to(project: WrongProject, monkeypatch) -> None:
    """Where a login does not follow: the new password alone from one deploy on."""
    project.edit("stacks/demo/compose.yaml", '"${SLIPWAY_LOGIN_postgres_password:-demo}"', "demo")
    project.write("deploy.py", bringing("postgres", "postgres"))
    deploys = Deploys(project, "postgres_password")
    assert rotate(project, deploys, monkeypatch) == 2
    assert (deploys.brought, len(entries(project))) == ([], 3)
    assert rotate(project, deploys, monkeypatch, "--short-outage") == 0
    assert [len(each.takes) for each in deploys.brought] == [1]
    assert entries(project) == {"postgres_password", "redis_password", "session_key"}


def test_a_login_that_no_longer_follows_stops_it_half_way(project: WrongProject, monkeypatch, capsys) -> None:
    """The project may change between two calls: nothing is handed out that its services could not use."""
    project.write("deploy.py", bringing("postgres", "postgres"))
    deploys = Deploys(project, "postgres_password", {1: 1})
    assert rotate(project, deploys, monkeypatch) == 1
    project.edit("stacks/demo/compose.yaml", '"${SLIPWAY_LOGIN_postgres_password:-demo}"', "demo")
    assert rotate(project, deploys, monkeypatch) == 2
    assert "api would keep the old login" in capsys.readouterr().err
    assert "postgres_password.next" in entries(project)
    assert rotate(project, deploys, monkeypatch, "--short-outage") == 0
    assert entries(project) == {"postgres_password", "redis_password", "session_key"}


def test_two_roles_with_one_password_are_told(project: WrongProject, monkeypatch, capsys) -> None:
    """One entry cannot say whose turn it is for two of them."""
    project.write("deploy.py", bringing("postgres", "postgres"))
    project.write("group_data/postgres.py", 'postgres = {"roles": [{"name": "x", "password": "postgres_password"}]}\n')
    assert rotate(project, Deploys(project, "postgres_password"), monkeypatch) == 2
    assert "demo and x share it\n  HINT: give each role a secret of its own" in capsys.readouterr().err


def test_a_value_that_others_issue_comes_by_standard_input(project: WrongProject, monkeypatch) -> None:
    """As a token of a service elsewhere."""
    monkeypatch.setattr(secrets_rotate, "value_given", lambda name: f"token for {name}")
    deploys = Deploys(project, "session_key")
    assert rotate(project, deploys, monkeypatch, "--stdin") == 0
    assert deploys.brought[-1].given[1] == "token for session_key"
