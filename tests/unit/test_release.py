"""The id of a release: it follows from every input that matters, and from nothing else."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from slipway import release
from slipway.compose import Stack, load
from slipway.context import Context
from slipway.fleet import Fleet, Member
from slipway.problems import BadInput
from slipway.release import environment_of, origin, release_of
from slipway.secrets import Secrets

PINNED = "registry.test/other@sha256:" + "0" * 64

COMPOSE = f"""\
name: shop
x-slipway:
  migrate: {{service: web, command: [migrate, up]}}
services:
  web:
    build: source
    environment: {{LEVEL: INFO}}
    secrets: [key]
    stop_grace_period: 20s
    deploy: {{replicas: 2}}
    x-slipway: {{group: workers, edge: {{hosts: [shop.test], port: 8000}}}}
  other:
    image: {PINNED}
  db:
    image: postgres:17
    environment: {{POSTGRES_DB: shop, POSTGRES_USER: shop, POSTGRES_PASSWORD_FILE: /run/secrets/db}}
    secrets: [db]
secrets:
  key: {{external: true}}
  db: {{external: true}}
"""

FLEET = Fleet(
    "test",
    (
        Member("web1", "10.0.0.1", ("workers",)),
        Member("web2", "10.0.0.2", ("workers",)),
        Member("db1", "10.0.0.3", ("postgres",)),
    ),
)
VALUES = {"key": "k-one", "db": "d-one"}


def secrets(**changed: str) -> Secrets:
    return Secrets("test", (VALUES | changed).get)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A stack with one image that is built, one that is pinned, and a Postgres."""
    (tmp_path / "source").mkdir()
    (tmp_path / "source/Dockerfile").write_text("FROM scratch\n")
    (tmp_path / "source/app").write_text("one\n")
    (tmp_path / "compose.yaml").write_text(COMPOSE)
    return tmp_path


def stack_of(project: Path) -> Stack:
    return load(project / "compose.yaml", variables={})


def id_of(project: Path, fleet: Fleet = FLEET, **changed: str) -> str:
    return release_of(stack_of(project), fleet, secrets(**changed)).id


def edited(name: str, old: str, new: str) -> Callable[[Path], dict[str, Any]]:
    def edit(project: Path) -> dict[str, Any]:
        text = (project / name).read_text()
        assert old in text
        (project / name).write_text(text.replace(old, new))
        return {}

    return edit


MATTERS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "source": edited("source/app", "one", "two"),
    "Dockerfile": edited("source/Dockerfile", "scratch", "scratch AS base"),
    "pinned image": edited("compose.yaml", "sha256:0", "sha256:1"),
    "environment": edited("compose.yaml", "LEVEL: INFO", "LEVEL: DEBUG"),
    "stop grace": edited("compose.yaml", "20s", "30s"),
    "migration": edited("compose.yaml", "[migrate, up]", "[migrate, head]"),
    "new service": edited("compose.yaml", "  other:", f"  third:\n    image: {PINNED}\n  other:"),
    "secret": lambda project: {"key": "k-two"},
    "address of a native service": lambda project: {
        "fleet": Fleet("test", (*FLEET.members[:2], Member("db1", "10.0.0.9", ("postgres",))))
    },
}
MATTERS_NOT: dict[str, Callable[[Path], dict[str, Any]]] = {
    "nothing": lambda project: {},
    "another worker": lambda project: {
        "fleet": Fleet("test", (*FLEET.members, Member("web3", "10.0.0.4", ("workers",))))
    },
    "a worker's address": lambda project: {
        "fleet": Fleet("test", (Member("web1", "10.0.0.8", ("workers",)), *FLEET.members[1:]))
    },
    "the inventory's name": lambda project: {"fleet": Fleet("other", FLEET.members)},
    "replicas": edited("compose.yaml", "replicas: 2", "replicas: 1"),
    "a secret of a native service only": lambda project: {"db": "d-two"},
    "a comment": edited("compose.yaml", "name: shop", "# about\nname: shop"),
}


@pytest.mark.parametrize("what", MATTERS)
def test_each_input_makes_another_release(project: Path, what: str) -> None:
    """Nothing that changes what runs keeps the id."""
    before = id_of(project)
    assert id_of(project, **MATTERS[what](project)) != before


@pytest.mark.parametrize("what", MATTERS_NOT)
def test_what_changes_no_container_makes_no_other_release(project: Path, what: str) -> None:
    """Where, how many and by whom leaves the id as it is."""
    before = id_of(project)
    assert id_of(project, **MATTERS_NOT[what](project)) == before


def test_another_checkout_at_another_time_has_the_same_release(project: Path, tmp_path_factory: Any) -> None:
    """Two controllers with the same files agree."""
    other = tmp_path_factory.mktemp("elsewhere")
    time.sleep(0.01)  # so that no file time is the same
    shutil.copytree(project, other, dirs_exist_ok=True)
    assert id_of(other) == id_of(project)
    assert len(id_of(project)) == 12 and int(id_of(project), 16)


def test_all_problems_are_told_at_once(project: Path) -> None:
    """A missing secret, a missing source and empty groups stand in one refusal, with what to do."""
    stack = stack_of(project)
    (project / "source/Dockerfile").unlink()
    fleet = Fleet("test", (Member("x", "10.0.0.1", ("nginx",)),))
    with pytest.raises(BadInput) as refused:
        release_of(stack, fleet, Secrets("test", lambda name: None))
    told = str(refused.value)
    assert "no Dockerfile there to build from" in told
    assert "'key' is missing" in told and "needed by web" in told
    assert "no host is in its group 'workers'" in told
    assert "no host is in its group 'postgres'" in told


def test_a_tag_that_nobody_can_resolve_is_refused_with_a_way_out(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without an engine on the controller a tag is no reference: the refusal says to pin it."""
    edited("compose.yaml", PINNED, "registry.test/other:3")(project)
    monkeypatch.setenv("DOCKER_HOST", f"unix://{project}/no-engine.sock")
    with pytest.raises(BadInput, match=r"pin it: image: registry.test/other:3@sha256") as refused:
        id_of(project)
    assert "stack shop: other" in str(refused.value)


def test_a_container_knows_its_release_host_service_and_number(project: Path) -> None:
    """Ours stand beside the service's own variables, which win."""
    stack = stack_of(project)
    ctx = Context(FLEET.members[0], FLEET, secrets(), stack, release_of(stack, FLEET, secrets()))
    assert ctx.release is not None
    found = environment_of(stack.service("web"), ctx, 2)
    ours = {"SLIPWAY_HOST": "web1", "SLIPWAY_SERVICE": "web", "SLIPWAY_REPLICA": "2", "SLIPWAY_RELEASE": ctx.release.id}
    assert found == {"LEVEL": "INFO"} | ours


def test_no_secret_can_be_read_from_a_release(project: Path) -> None:
    """Printing a release gives fingerprints away, never values."""
    told = repr(release_of(stack_of(project), FLEET, secrets(key="canary-value")))
    assert "canary-value" not in told


def test_the_origin_names_user_host_and_commit(tmp_path: Path) -> None:
    """Outside of a repository there is no commit; who it was is told all the same."""
    found = origin(tmp_path)
    assert found.commit == "" and "@" in found.who
    assert origin(release.Path(__file__).parents[2]).commit.removesuffix("-dirty").isalnum()


def test_the_commit_is_told_with_what_was_changed_since(tmp_path: Path) -> None:
    """None before the first; files that git does not know make no difference, and nothing of the repository changes."""

    def git(*words: str) -> str:
        who = ("-c", "user.name=a", "-c", "user.email=a@example.org")
        return subprocess.run(["git", *who, *words], cwd=tmp_path, check=True, capture_output=True, text=True).stdout

    def commit() -> str:
        origin.cache_clear()
        return origin(tmp_path).commit

    git("init", "--quiet")
    (tmp_path / "known").write_text("one")
    git("add", "known")
    assert commit() == ""
    git("commit", "--quiet", "--message", "first")
    (tmp_path / "unknown").write_text("x")
    head = git("rev-parse", "HEAD")[:12]
    assert commit() == head
    (tmp_path / "known").write_text("two")
    index = (tmp_path / ".git/index").read_bytes()
    assert commit() == f"{head}-dirty"
    assert (tmp_path / ".git/index").read_bytes() == index
    git("checkout", "--quiet", "--detach")
    assert commit() == f"{head}-dirty"
