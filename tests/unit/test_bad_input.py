"""Bad input stops before the first connection: exit code 2, every problem with its place and what to do."""

from __future__ import annotations

import socket
import string
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from slipway.engine.inventory import find_inventory, read_inventory
from slipway.problems import MOST_NAMED, BadInput, Problems
from slipway.role import Role, problems_of
from slipway.seam import ONCE, cli, install
from slipway.secrets import open_source
from tests.wrong_inputs import Case, everything
from tests.wrong_project import CANARY, ROOT, STACK_TEXT, WrongProject, wrong_project


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WrongProject:
    """A project that is right, with this process in it and every socket closed to it."""

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("validation opened a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.chdir(tmp_path)
    return wrong_project(tmp_path)


def test_the_project_is_right_before_it_is_made_wrong(project: WrongProject) -> None:
    """Each case below is wrong by its own mistake and no other."""
    assert project.problems() == []
    project.whole_deploy()
    assert project.problems() == []


@pytest.mark.parametrize("case", list(everything()), ids=lambda case: case.name)
def test_a_mistake_is_one_problem_with_its_place_and_what_to_do(case: Case, project: WrongProject) -> None:
    """One mistake is one problem, on however many hosts; it says where, what, and what to do, and no secret."""
    case.change(project)
    found = project.problems(case.limit, case.data)
    assert [case.where] == [problem.where for problem in found], "\n".join(map(str, found))
    assert case.what in found[0].what
    assert case.hint in found[0].hint
    assert found[0].hint
    assert CANARY not in str(found[0])
    assert "hunter2" not in str(found[0])


def test_all_mistakes_are_told_at_once_in_the_same_order_every_time(project: WrongProject) -> None:
    """Command line, hosts, application, secrets, role data by host, then names: nothing hides what comes after it."""
    project.whole_deploy()
    project.edit("inventories/fleet.py", '"192.0.2.22"', '"192.0.2.21"')
    project.edit("secrets.yaml", "session_key:", "session_kye:")
    project.write("group_data/workers.py", 'docker = {"mtu": 1, "log_levle": "info"}\ndokcer = {}\n')
    project.write("group_data/redis.py", 'redis = {"http": 1}\n')
    project.write("group_data/postgers.py", "postgres = {}\n")
    found = [problem.where for problem in project.problems(["wrokers"])]
    assert found == [
        "--limit wrokers",
        "inventories/fleet.py",
        "secrets (file secrets.yaml)",
        "worker1, worker2, worker3: docker.mtu",
        "worker1, worker2, worker3: docker.log_levle",
        "cache1: redis.http",
        "group_data/postgers.py",
        "group_data/workers.py: dokcer",
    ]
    assert found == [problem.where for problem in project.problems(["wrokers"])]


def test_every_file_that_is_no_python_is_told(project: WrongProject) -> None:
    """A broken file does not hide the next one, neither by its syntax nor by what it does."""
    for group in ("all", "nginx", "workers"):
        project.write(f"group_data/{group}.py", "x = [\n")
    assert [each.where for each in project.problems()] == [f"group_data/{g}.py:1" for g in ("all", "nginx", "workers")]


def test_every_file_that_stops_is_told(tmp_path: Path, project: WrongProject) -> None:
    """The same for files whose code fails."""
    for group in ("all", "workers"):
        project.write(f"group_data/{group}.py", "\nx_a = nowhere\n")
    assert [each.where for each in project.problems()] == ["group_data/all.py:2", "group_data/workers.py:2"]


def test_a_broken_compose_file_hides_no_other_mistake_and_is_not_followed_by_its_consequences(
    project: WrongProject,
) -> None:
    """What roles derive from the Compose file is not looked at without it; what stands in group_data is."""
    project.whole_deploy()
    project.edit("stacks/demo/compose.yaml", "port: 8000", "prot: 8000")
    project.write("group_data/workers.py", 'docker = {"mtu": 1}\n')
    project.write("group_data/redis.py", 'redis = {"maxmemory_samples": 0}\n')
    found = [problem.where for problem in project.problems()]
    stack = "stacks/demo/compose.yaml"
    assert [where for where in found if not where.startswith(stack)] == [
        "worker1, worker2, worker3: docker.mtu",
        "cache1: redis.maxmemory_samples",
    ]
    assert {where.partition(":")[0] for where in found if where.startswith(stack)} == {stack}


def test_an_unreadable_source_of_secrets_is_not_followed_by_every_secret(project: WrongProject) -> None:
    """The source is told once; roles that need its secrets are looked at all the same."""
    project.whole_deploy()
    (project.path / "secrets.yaml").unlink()
    project.write("group_data/redis.py", 'redis = {"maxmemory_samples": 0}\n')
    assert [each.where for each in project.problems()] == [
        "group_data/fleet.py: secrets",
        "cache1: redis.maxmemory_samples",
    ]


def test_a_problem_of_many_hosts_is_one_line() -> None:
    """The same problem on 500 hosts names the first of them and says how many more there are."""
    problems = Problems()
    for number in range(500):
        problems.add("docker.mtu", "wrong", "mend it", f"web{number}")
    (told,) = problems
    assert told.where.startswith("web0, web1, ")
    assert told.where.endswith(f" and {500 - MOST_NAMED + 1} more: docker.mtu")


def test_a_text_may_be_written_as_any_system_writes_it(project: WrongProject) -> None:
    """A byte order mark, CRLF and letters of any language are no mistakes, in Python, YAML and Compose files."""
    project.write("deploy.py", b"\xef\xbb\xbf" + (project.path / "deploy.py").read_bytes().replace(b"\n", b"\r\n"))
    project.write("group_data/workers.py", '\ufeffimport os\r\nx_motto = "Grüße, 世界"\r\nx_os = os.name\r\n')
    project.write("stacks/demo/compose.yaml", "\ufeff" + STACK_TEXT.replace("info", "größer").replace("\n", "\r\n"))
    project.write("secrets.yaml", "\ufeff" + (project.path / "secrets.yaml").read_text().replace("\n", "\r\n"))
    assert project.problems() == []


def test_an_unknown_inventory_is_answered_with_the_nearest(project: WrongProject) -> None:
    """By name as ./slipway takes it, and by file as pyinfra does."""
    with pytest.raises(BadInput) as raised:
        find_inventory("flete")
    assert str(raised.value) == "inventory flete: there is none of that name\n  HINT: did you mean 'fleet'?"


def test_a_deploy_file_of_one_role_is_no_mistake(project: WrongProject) -> None:
    """A part of the whole may be deployed by its own file, though it runs none of the application's services."""
    project.write("deploy.py", "")
    assert project.problems() == []


def test_a_secret_is_what_is_written(project: WrongProject) -> None:
    """A password that YAML would read as a number, a date or a truth value stays the password that it is."""
    written = {"a": "0123", "b": "yes", "c": "1e3", "d": "2024-01-01", "e": "'null'"}
    project.write("secrets.yaml", "".join(f"{name}: {value}\n" for name, value in written.items()))
    secrets = open_source("file:secrets.yaml", project.path)
    assert {name: secrets.get(name).reveal() for name in written} == {**written, "e": "null"}


@pytest.mark.parametrize(
    ("words", "why"),
    [("false {name}", "is missing"), (r"printf '\377' {name}", "is not UTF-8 text"), ("/ {name}", "is not there")],
)
def test_a_command_that_gives_no_secret_is_told(words: str, why: str, project: WrongProject) -> None:
    """A program that fails, prints bytes that are no text, or does not exist is a problem, not a traceback."""
    project.write("group_data/fleet.py", f"secrets = {'command:' + words!r}\n")
    found = project.problems()
    assert found
    assert all(why in problem.what and problem.hint for problem in found)


def test_a_command_answers_with_the_secret(project: WrongProject) -> None:
    """What the program prints for a name, without its last line end, is the secret."""
    assert open_source("command:printf 'key of %s\\n' {name}", project.path).get("db").reveal() == "key of db"


def test_pyinfra_works_out_once_what_cannot_change() -> None:
    """Connectors and argument types are asked for thousands of times in one validation."""
    install()
    for name, users in ONCE.items():
        assert len({id(getattr(user, name)()) for user in users for _ in range(2)}) == 1


def plain(words: list[str]) -> SimpleNamespace:
    """pyinfra's own steps before it connects, as `take_over` puts them, with these words on the command line."""
    return SimpleNamespace(
        inventory=lambda: cli._inventory(lambda *a, **k: [])(words[0]),
        data=lambda: cli._overrides(lambda data, *others: dict(data))(words),
        limit=lambda: cli._limit(read_inventory(find_inventory("fleet")), words),
        exclude=lambda: cli._exclude(read_inventory(find_inventory("fleet")), None, words),
    )


@pytest.mark.parametrize(
    ("step", "words", "said"),
    [
        ("inventory", ["inventories/flete.py"], "inventory inventories/flete.py: there is no such file"),
        ("inventory", ["flete"], "inventory flete: there is none of that name"),
        ("data", ["docker"], "--data docker: has no value\n  HINT: write --data name=value"),
        ("limit", ["wrokers"], "--limit wrokers: no host or group is called that\n  HINT: did you mean 'workers'?"),
        ("exclude", ["wrokers"], "--exclude wrokers: no host or group is called that\n  HINT: did you mean 'workers'?"),
        ("exclude", ["*"], "--exclude: leaves no host to work on"),
    ],
)
def test_plain_pyinfra_refuses_a_wrong_command_line(
    step: str, words: list[str], said: str, project: WrongProject, capsys: pytest.CaptureFixture[str]
) -> None:
    """What stock pyinfra passes over, or ends with a traceback, is exit code 2 with what to write instead."""
    with pytest.raises(SystemExit) as ended:
        getattr(plain(words), step)()
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith(said)


@pytest.mark.parametrize(
    "words",
    [
        ["-m", "slipway", "deploy", "fleet"],
        ["-c", "from pyinfra_cli.main import main; main()", "-y", "inventories/fleet.py", "deploy.py"],
    ],
    ids=["slipway deploy", "pyinfra"],
)
def test_both_entry_points_end_with_2_before_any_connection(words: list[str], tmp_path: Path) -> None:
    """Exit code 2, the problem and its hint on standard error, no traceback, and no word of a connection."""
    project = wrong_project(tmp_path)
    project.write("group_data/redis.py", 'redis = {"appendonly": "yes"}\n')
    done = project.run(*words)
    assert done.returncode == 2, done.stderr
    line = "cache1: redis.appendonly: must be a valid boolean (got 'yes')"
    assert f"{line}\n  HINT: write True or False, without quotes (in group_data/redis.py)\n" in done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    assert "Connected" not in done.stderr + done.stdout


ROLES = [import_module(f"roles.{path.parent.name}").role for path in sorted((ROOT / "roles").glob("*/__init__.py"))]

LEAVES: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.binary(max_size=4),
    st.sampled_from(["; rm -rf /", "$(id)", "{{ x }}", "a\nb", "\0", "\ud800", "é", "10.0.0.0/8", "present", "-1"]),
)  # fmt: skip


def _values(role: Role) -> st.SearchStrategy[dict[str, Any]]:
    """Wrong values under the role's own names, and under the names within."""
    names = st.sampled_from([*_names(role.data), *string.ascii_lowercase[:2]])
    inner = st.recursive(
        LEAVES,
        lambda deeper: st.one_of(st.lists(deeper, max_size=2), st.dictionaries(names, deeper, max_size=3)),
        max_leaves=4,
    )
    return st.dictionaries(names, inner, min_size=1, max_size=4)


def _names(model: Any) -> set[str]:
    within = [field.annotation for field in model.model_fields.values()]
    models = [argument for each in within for argument in (each, *getattr(each, "__args__", ()))]
    inner = [each for each in models if hasattr(each, "model_fields")]
    return {*model.model_fields, *(name for each in inner for name in _names(each))}


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_whatever_stands_in_a_roles_data_is_valid_or_a_problem(role: Role) -> None:
    """Any value under any name is taken or told with place and finding; it never ends in another exception."""

    # A few dozen tries each: the whole suite without hosts is to end within seconds.
    @settings(max_examples=20, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(_values(role))
    def told(values: dict[str, Any]) -> None:
        try:
            role.data.model_validate(values)
        except ValidationError as error:
            found = problems_of(error, role.key, role.data)
            assert found
            assert all(each.where.startswith(role.key) and each.what for each in found)
            assert all(line.isprintable() for each in found for line in str(each.where).splitlines())

    told()
