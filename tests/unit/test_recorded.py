"""A release on record: everything of it comes back, from another checkout and after the project has changed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, get_args

import pytest
from pyinfra_cli.util import PYTHON_CODES

from roles.app.data import App
from roles.app.specs import secret_directory, specs_here
from slipway.compose import Stack, load
from slipway.engine.declare import declare
from slipway.engine.inventory import find_inventory
from slipway.engine.run import Run
from slipway.ops.releases import _as_text
from slipway.problems import BadInput
from slipway.recorded import Recalled, as_json, packed, recalled, stack_of, unpacked
from slipway.reference import models_of, roles
from slipway.secrets import Sealed
from tests.wrong_project import CANARY, ROOT, WrongProject, wrong_project

FILES = Path(__file__).parent / "compose_files"
VARIABLES = {"VERSION": "1.4.0", "SITE": "agents.example.com", "REDIS_PASSWORD": "from-the-environment"}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WrongProject:
    """A small project with every role, in its directory."""
    made = wrong_project(tmp_path)
    made.whole_deploy()
    made.write("stacks/demo/.dockerignore", "compose.yaml\n")
    monkeypatch.chdir(tmp_path)
    return made


def declared(project: WrongProject, release: Recalled | None = None) -> Run:
    PYTHON_CODES.clear()  # pyinfra reads a file once in a process; here files change
    return declare(find_inventory("fleet"), [project.path / "deploy.py"], recalled=release)


def on_record(run: Run) -> dict[str, dict[str, Any]]:
    """What the run would leave on each host, as it is read there: through JSON."""
    entry = run.entry
    assert entry is not None
    told = {"when": "2026-01-01", "who": "ops@desk", "commit": "abcdef123456"}
    records = {member.name: {**entry.on(member.name), "secrets": [], "images": [], **told} for member in run.fleet}
    return {host: json.loads(json.dumps(record)) for host, record in records.items()}


def recall(run: Run) -> Recalled:
    assert run.entry is not None
    return recalled(run.entry.id, on_record(run))


def data_of(run: Run) -> dict[str, dict[str, Any]]:
    return {host: {role.key: data for role, data in found} for host, found in run.applied.items()}


# --- the stack


@pytest.mark.parametrize("name", ["agents", "botmatrix", "coze", "maibot"])
def test_a_stack_comes_back_from_its_record(name: str) -> None:
    """Every field, in its type, through JSON; each service has the fingerprint that it had."""
    stack = load(FILES / f"{name}.yaml", variables=VARIABLES, secret_names=["DB_PASSWORD", "db_password"])
    again = stack_of(json.loads(json.dumps(as_json(stack))))
    assert again == stack.model_copy(update={"notes": ()})
    assert [each.fingerprint() for each in again.services] == [each.fingerprint() for each in stack.services]


def test_no_path_of_the_controller_is_on_record(project: WrongProject) -> None:
    """Another checkout finds the build's context in its own directory."""
    run = declared(project)
    assert run.stack is not None
    told = json.dumps(on_record(run))
    assert str(project.path) not in told
    assert stack_of(as_json(run.stack)).service("api").build == run.stack.service("api").build


def test_templates_come_back_as_they_were() -> None:
    """Packed into one line without a quote or a blank, whatever is in them."""
    texts = {"a.j2": "{{ x }}\n", "b/ü.j2": "'\"\\\n\0" * 1000}
    line = packed(texts)
    assert unpacked(line) == texts and line.isascii() and len(line) < 300 and not set(line) & set("'\" \n\\")


@pytest.mark.parametrize("text", ["", "x", "e30=", packed({})[:-8], "eJwDAAAAAAE="])
def test_damaged_templates_are_no_templates(text: str) -> None:
    """Never half of them."""
    with pytest.raises(ValueError):
        unpacked(text)


# --- the whole


def test_a_release_comes_back_whole(project: WrongProject) -> None:
    """Stack, release, every role's data on every host, containers, and the id of the entry."""
    run = declared(project)
    again = declared(project, recall(run))
    assert (again.release, again.entry and again.entry.id) == (run.release, run.entry and run.entry.id)
    assert data_of(again) == data_of(run)
    for host in run.state.inventory.get_group("workers"):
        before, after = run.context(host), again.context(host)
        assert run.stack and again.stack
        assert specs_here(App(), after, again.stack) == specs_here(App(), before, run.stack)


def test_what_is_on_record_stands_before_what_the_project_says_now(project: WrongProject) -> None:
    """Group data, the Compose file and templates have changed since: all are as they were. Programs are today's."""
    project.write("group_data/nginx.py", 'nginx = {"keepalive_seconds": 33}\n')
    run = declared(project)
    before = recall(run)
    project.write("group_data/nginx.py", 'nginx = {"keepalive_seconds": 44}\n')
    project.edit("stacks/demo/compose.yaml", "LEVEL: info", "LEVEL: debug")
    project.edit("templates/redis/users.acl.j2", "\n", "\n# newer\n")
    project.edit("templates/docker/slipway-prune.j2", "\n", "\n# newer\n")
    todays, again = declared(project), declared(project, before)
    assert data_of(todays)["edge1"]["nginx"].keepalive_seconds == 44
    assert data_of(again)["edge1"]["nginx"].keepalive_seconds == 33
    assert again.stack and again.stack.service("api").environment == {"LEVEL": "info"}
    assert "# newer" in todays.templates.texts()["redis/users.acl.j2"]
    assert "# newer" not in again.templates.texts()["redis/users.acl.j2"]
    assert "docker/slipway-prune.j2" not in before.templates
    assert "# newer" in again.templates.render("docker/slipway-prune.j2", {})


def test_who_may_come_in_is_todays(project: WrongProject) -> None:
    """Going back to a release takes no firewall away, and opens no door that was shut since."""
    before = recall(declared(project))
    project.write("group_data/workers.py", 'firewall = {"enabled": True}\nssh = {"enabled": True}\n')
    found = data_of(declared(project, before))["worker1"]
    assert (found["firewall"].enabled, found["ssh"].enabled) == (True, True)


def test_what_follows_from_the_fleet_follows_from_todays(project: WrongProject) -> None:
    """A host that has joined since gets the release too, and its requests; nothing is sent to one that has left."""
    before = recall(declared(project))
    project.edit(
        "inventories/fleet.py",
        '("worker1", {"address": "192.0.2.21", **_login})',
        '("worker4", {"address": "192.0.2.24", **_login})',
    )
    again = declared(project, before)
    peers = {peer.host for peer in data_of(again)["edge1"]["nginx"].upstreams["api"].peers}
    assert peers == {"192.0.2.24"}
    assert set(data_of(again)["worker4"]) == {"app", "base", "docker", "firewall", "reconciler", "ssh"}


def test_a_host_or_role_that_the_record_does_not_know_gets_what_is_declared_now(project: WrongProject) -> None:
    """What came since is not taken away."""
    run = declared(project)
    assert run.entry is not None
    records = on_record(run)
    del records["cache1"]["roles"]["redis"]
    before = recalled(run.entry.id, records)
    project.write("group_data/redis.py", 'redis = {"maxclients": 777}\n')
    assert data_of(declared(project, before))["cache1"]["redis"].maxclients == 777


# --- the id of an entry

SAME: dict[str, Callable[[WrongProject], None]] = {
    "nothing": lambda project: None,
    "a program": lambda project: project.edit("templates/docker/slipway-prune.j2", "\n", "\n# newer\n"),
    "a template that nobody renders": lambda project: project.write("templates/redis/none.j2", "x\n"),
    "a native service's secret": lambda project: project.edit("secrets.yaml", f"{CANARY}-redis", "another-1234"),
}
CONFIGURATION: dict[str, Callable[[WrongProject], None]] = {
    "group data": lambda project: project.write("group_data/nginx.py", 'nginx = {"keepalive_seconds": 44}\n'),
    "data of one host": lambda project: project.edit(
        "inventories/fleet.py", '"192.0.2.41"', '"192.0.2.41", "redis": {"timeout": 7}'
    ),
    "a template": lambda project: project.edit("templates/redis/users.acl.j2", "\n", "\n# newer\n"),
    "a service's replicas": lambda project: project.edit(
        "stacks/demo/compose.yaml", "x-slipway:\n", "deploy: {replicas: 3}\n    x-slipway:\n"
    ),
}
RELEASE: dict[str, Callable[[WrongProject], None]] = {
    "environment": lambda project: project.edit("stacks/demo/compose.yaml", "LEVEL: info", "LEVEL: debug"),
    "a container's secret": lambda project: project.edit("secrets.yaml", f"{CANARY}-session", "another-1234"),
}


@pytest.mark.parametrize("what", [*SAME, *CONFIGURATION, *RELEASE])
def test_an_entry_is_named_after_release_and_configuration(project: WrongProject, what: str) -> None:
    """Another configuration of the same release is another entry, whose name begins with the same release."""
    before = declared(project).entry
    (SAME | CONFIGURATION | RELEASE)[what](project)
    after = declared(project).entry
    assert before and after
    assert (after.release.id == before.release.id) == (what not in RELEASE)
    assert (after.id == before.id) == (what in SAME)
    assert after.id.startswith(f"{after.release.id}-") and len(after.id) == 21


@pytest.mark.sweep
def test_every_process_names_it_the_same(project: WrongProject) -> None:
    """No order of a set or of a directory is in the name."""
    code = (
        "import pyinfra_cli; from slipway.engine.declare import declare; "
        "from slipway.engine.inventory import find_inventory; from pathlib import Path; "
        "print(declare(find_inventory('fleet'), [Path('deploy.py')]).entry.id)"
    )
    told = set()
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT / "src")}
        words = [sys.executable, "-c", code]
        told.add(subprocess.run(words, env=environment, capture_output=True, text=True, check=True).stdout.strip())
    assert len(told) == 1


def test_order_is_kept() -> None:
    """What is rendered of a role's data may follow the order in which it was declared."""
    assert list(json.loads(_as_text({"b": 1, "a": {"d": 1, "c": 2}}))["a"]) == ["d", "c"]


def test_nothing_on_record_is_a_set() -> None:
    """The order of a set's items differs between processes, and with it would the name of the entry."""
    models = [Stack, *(model for role in roles() for model in models_of(role))]
    assert [f"{m.__name__}.{name}" for m in models for name, f in m.model_fields.items() if _is_set(f.annotation)] == []


def _is_set(annotation: Any) -> bool:
    return annotation in (set, frozenset) or any(_is_set(each) for each in get_args(annotation))


# --- secrets


def test_no_secret_is_on_record(project: WrongProject) -> None:
    """Names and fingerprints, never a value: of containers or of native services."""
    told = json.dumps(on_record(declared(project)))
    assert CANARY not in told and "session_key" in told


def test_containers_keep_the_secrets_that_they_had(project: WrongProject) -> None:
    """The source has another version now: the directory of then is meant, and its value is not known here."""
    run = declared(project)
    before = recall(run)
    same = declared(project, before)
    project.edit("secrets.yaml", f"{CANARY}-session", "another-1234")
    later, again = declared(project), declared(project, before)
    named = [directory(each) for each in (run, same, again, later)]
    assert named[0].name == named[1].name == named[2].name != named[3].name
    assert [each.is_sealed for each in named] == [False, False, True, False]
    assert isinstance(named[2].files[0].content, Sealed)
    with pytest.raises(ValueError):
        named[2].files[0].content.reveal()


def test_a_source_that_has_lost_a_secret_does_not_keep_from_going_back(project: WrongProject) -> None:
    """As long as it is a container's, and lies on the hosts."""
    before = recall(declared(project))
    project.write("secrets.yaml", "postgres_password: p-1234-x\nredis_password: r-1234-x\n")
    assert directory(declared(project, before)).is_sealed


def directory(run: Run) -> Any:
    assert run.stack is not None
    ctx = run.context(run.state.inventory.get_host("worker1"))
    return secret_directory(run.stack.service("api"), ctx, run.stack)


# --- refused


def damaged(run: Run, **changed: Any) -> dict[str, dict[str, Any]]:
    return {host: {**record, **changed} for host, record in on_record(run).items()}


REFUSED: dict[str, tuple[Callable[[Run], Mapping[str, Mapping[str, Any]]], str]] = {
    "an older version's": (
        lambda run: {"edge1": {"id": "abc", "services": {}, "commit": "abcdef123456-dirty"}},
        "was recorded by another version of Slipway, without all that it takes to run it again",
    ),
    "templates that are cut": (lambda run: damaged(run, templates="eJwDAA"), "changed or damaged"),
    "a release that is cut": (lambda run: damaged(run, release={"id": "abc"}), "changed or damaged: KeyError: 'stack'"),
    "hosts that differ": (
        lambda run: {**on_record(run), "worker2": {**on_record(run)["worker2"], "configuration": "x"}},
        "configuration is not what edge1 has",
    ),
    "a field that Compose files have no longer": (
        lambda run: damaged(run, application={**on_record(run)["edge1"]["application"], "gone": 1}),
        "on record: application.gone: unknown key",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_record_that_cannot_be_run_again_is_refused(project: WrongProject, what: str) -> None:
    """Which release, where, what is wrong with it, and what to do."""
    make, told = REFUSED[what]
    with pytest.raises(BadInput) as refused:
        recalled("abc", make(declared(project)))
    assert told in str(refused.value) and "release abc" in str(refused.value) and "HINT" in str(refused.value)


def test_data_that_todays_roles_refuse_is_told_with_its_field(project: WrongProject) -> None:
    """Before any host is touched: which field of which release on which hosts, and what to do."""
    records = on_record(declared(project))
    for host in ("worker1", "worker2"):
        records[host]["roles"]["docker"]["data"] |= {"gone": 1, "live_restore": "soon"}
    with pytest.raises(BadInput) as refused:
        declared(project, recalled("abc-1", records))
    told = str(refused.value)
    assert "worker1, worker2: release abc-1, on record: docker.gone: unknown key" in told
    assert "docker.live_restore: must be a valid boolean" in told
    assert "check out commit abcdef123456 and deploy that, with the Slipway of then" in told


def test_a_template_on_record_that_todays_role_does_not_fill_is_refused(project: WrongProject) -> None:
    """The template, and that it is the record's."""
    project.edit("templates/redis/users.acl.j2", "\n", "\n{# #}\n")
    before = recall(declared(project))
    texts = {**before.templates, "redis/users.acl.j2": "{{ colour }}\n"}
    with pytest.raises(BadInput) as refused:
        declared(project, Recalled(before.id, before.release, before.stack, texts, before.commit, before.hosts))
    assert f"release {before.id}, on record: template" in str(refused.value)
    assert "'colour' is undefined" in str(refused.value)


def test_a_broken_project_does_not_keep_from_going_back(project: WrongProject) -> None:
    """The Compose file of today, its group data and its templates may be in the middle of a repair."""
    before = recall(declared(project))
    project.write("stacks/demo/compose.yaml", "services: [\n")
    project.write("group_data/nginx.py", 'nginx = {"no_such": 1}\nredsi = {}\n')
    project.write("templates/redis/users.acl.j2", "{% if %}\n")
    assert declared(project, before).release == before.release
