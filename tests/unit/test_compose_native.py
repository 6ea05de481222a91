"""Postgres, Redis and Nginx containers of a file become data of the native roles."""

from __future__ import annotations

from pathlib import Path

import pytest

from slipway.compose import NativeService, SecretRef, Stack, load
from slipway.problems import BadInput

APP = "  app: {image: 'app:1'}\n"
SECRETS = "secrets: {key: {external: true, name: SHOP_KEY}}\n"


def stack(directory: Path, services: str) -> Stack:
    """A stack of one application and these services."""
    path = directory / "compose.yaml"
    path.write_text(f"name: shop\nservices:\n{APP}{services}{SECRETS}")
    return load(path, variables={"PASSWORD": "from-the-variables", "USER_NAME": "u"}, secret_names=["SOURCE"])


def native(directory: Path, keys: str) -> NativeService:
    """The native service that `{keys}` describes."""
    return stack(directory, f"  data: {{{keys}}}\n").native["data"]


@pytest.mark.parametrize(
    ("image", "kind", "version"),
    [
        ("postgres", "postgres", None),
        ("postgres:17", "postgres", "17"),
        ("postgres:16.4-bookworm", "postgres", "16.4"),
        ("docker.io/library/postgres:15-alpine", "postgres", "15"),
        ("mirror.example.com:5000/library/postgres:15", "postgres", "15"),
        ("pgvector/pgvector:0.8.0-pg16", "postgres", "16"),
        ("postgis/postgis:17-3.5", "postgres", "17"),
        ("redis:latest", "redis", None),
        ("redis:7.2-alpine", "redis", "7.2"),
        ("nginx:1.25@sha256:" + "0" * 64, "nginx", "1.25"),
        ("nginxinc/nginx-unprivileged:stable", "nginx", None),
    ],
)
def test_an_image_is_known_by_its_name_and_version(image: str, kind: str, version: str | None, tmp_path: Path) -> None:
    """Official and extension images count, with a registry's name or without; the tag says the version."""
    found = native(tmp_path, f"image: '{image}', environment: {{POSTGRES_PASSWORD: $PASSWORD}}")
    assert (found.kind, found.version, found.group) == (kind, version, kind)


@pytest.mark.parametrize(
    "keys",
    [
        "image: 'registry.example.com/team/postgres:1'",
        "image: 'bitnami/redis:7'",
        "image: 'postgres:17', x-slipway: {native: false}",
        "image: 'postgres-exporter:1'",
    ],
)
def test_other_images_run_as_containers(keys: str, tmp_path: Path) -> None:
    """A team's own image of the same name, a relative, and one that says native: false are application services."""
    found = stack(tmp_path, f"  data: {{{keys}}}\n")
    assert [service.name for service in found.services] == ["app", "data"]
    assert found.native == {}


@pytest.mark.parametrize(
    ("keys", "password"),
    [
        (
            "environment: {POSTGRES_PASSWORD: '${PASSWORD}'}",
            SecretRef(name="PASSWORD", kind="environment", source="PASSWORD"),
        ),
        ("environment: [POSTGRES_PASSWORD=$SOURCE]", SecretRef(name="SOURCE", kind="slipway", source="SOURCE")),
        (
            "environment: {POSTGRES_PASSWORD_FILE: /run/secrets/key}, secrets: [key]",
            SecretRef(name="key", kind="slipway", source="SHOP_KEY"),
        ),
    ],
)
def test_a_password_of_postgres_is_a_reference(keys: str, password: SecretRef, tmp_path: Path) -> None:
    """From the secret source, from a variable, from a mounted secret: the value itself is never in the model."""
    found = native(tmp_path, f"image: 'postgres:17', {keys}")
    assert found.roles[0].password == password
    assert "from-the-variables" not in repr(found)


def test_postgres_defaults_are_the_images_own(tmp_path: Path) -> None:
    """Without POSTGRES_USER the role is postgres; without POSTGRES_DB the database is named after the role."""
    bare = native(tmp_path, "image: 'postgres:17', environment: {POSTGRES_PASSWORD: $SOURCE}")
    assert (bare.roles[0].name, bare.databases[0].name, bare.databases[0].owner) == ("postgres", "postgres", "postgres")
    named = native(
        tmp_path, "image: 'postgres:17', environment: {POSTGRES_PASSWORD: $SOURCE, POSTGRES_USER: $USER_NAME}"
    )
    assert (named.roles[0].name, named.databases[0].name) == ("u", "u")


@pytest.mark.parametrize(
    "command",
    [
        "postgres -c max_connections=200 -c work_mem=8MB",
        "-c max_connections=200 -cwork_mem=8MB",
        "[postgres, --max-connections=200, --work_mem=8MB]",
    ],
)
def test_settings_of_postgres_come_from_the_command_line(command: str, tmp_path: Path) -> None:
    """All three ways in which Postgres takes settings give the same."""
    keys = f"image: 'postgres:17', command: {command}, environment: {{POSTGRES_PASSWORD: $SOURCE}}"
    assert native(tmp_path, keys).settings == {"max_connections": "200", "work_mem": "8MB"}


@pytest.mark.parametrize(
    ("command", "settings", "password"),
    [
        (
            "redis-server --maxmemory 2gb --maxmemory-policy allkeys-lru",
            {"maxmemory": "2gb", "maxmemory-policy": "allkeys-lru"},
            None,
        ),
        ("[redis-server, --save, '']", {"save": ""}, None),
        (
            "--appendonly yes --requirepass $PASSWORD",
            {"appendonly": "yes"},
            SecretRef(name="PASSWORD", kind="environment", source="PASSWORD"),
        ),
        (
            "'redis-server /etc/redis.conf --requirepass ${SOURCE}'",
            {},
            SecretRef(name="SOURCE", kind="slipway", source="SOURCE"),
        ),
    ],
)
def test_settings_of_redis_come_from_the_command_line(
    command: str, settings: dict[str, str], password: SecretRef | None, tmp_path: Path
) -> None:
    """Every --name value is a setting, save points add up, the password is a reference."""
    found = native(tmp_path, f"image: 'redis:7', command: {command}")
    assert (found.settings, found.password) == (settings, password)


def test_the_only_secret_of_redis_is_its_password(tmp_path: Path) -> None:
    """A Redis container can do nothing with a secret but ask for it."""
    found = native(tmp_path, "image: 'redis:7', secrets: [key]")
    assert found.password == SecretRef(name="key", kind="slipway", source="SHOP_KEY")


def test_a_variable_that_is_a_password_may_not_stand_in_an_environment(tmp_path: Path) -> None:
    """What Redis asks for is a secret everywhere in the file, also where the service that shows it stands first."""
    services = (
        "  web: {image: 'web:1', environment: {URL: 'redis://:$PASSWORD@data'}}\n"
        "  data: {image: 'redis:7', command: redis-server --requirepass $PASSWORD}\n"
    )
    with pytest.raises(BadInput) as raised:
        stack(tmp_path, services)
    (problem,) = raised.value.problems
    assert problem.what == "services.web.environment.URL: a secret (PASSWORD) in `environment` shows in docker inspect"
    assert "from-the-variables" not in str(raised.value)


def test_a_variable_that_is_a_declared_secret_may_not_stand_in_a_command(tmp_path: Path) -> None:
    """`secrets: {a: {environment: NAME}}` makes NAME a secret for the whole file."""
    path = tmp_path / "compose.yaml"
    path.write_text(
        "name: shop\nservices:\n  web: {image: 'web:1', secrets: [a], command: run $NAME}\n"
        "secrets: {a: {environment: NAME}}\n"
    )
    with pytest.raises(BadInput, match=r"a secret \(NAME\) in `command` shows in docker inspect"):
        load(path, variables={"NAME": "value"})


def test_a_group_is_taken_from_the_extension_or_the_constraint(tmp_path: Path) -> None:
    """x-slipway.group wins over the default; a placement constraint means the same."""
    assert native(tmp_path, "image: 'redis:7', x-slipway: {group: caches}").group == "caches"
    constraint = "deploy: {placement: {constraints: ['node.labels.group==caches']}}"
    assert native(tmp_path, f"image: 'redis:7', {constraint}").group == "caches"


def test_keys_of_the_container_are_told_as_not_carried_over(tmp_path: Path) -> None:
    """Even a key that is refused for applications is only a note here: there is no container."""
    notes = stack(tmp_path, "  data: {image: 'redis:7', privileged: true, restart: always}\n").notes
    assert [note.partition("services.")[2] for note in notes if "data" in note] == [
        "data.privileged: not carried over: the native role has its own way",
        "data.restart: not carried over: the native role has its own way",
    ]


def test_an_unused_secret_is_told(tmp_path: Path) -> None:
    """A declared secret that nobody reads is a note with its line."""
    assert any(note.endswith("compose.yaml:4: secrets.key: no service reads it") for note in stack(tmp_path, "").notes)
