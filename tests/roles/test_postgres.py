"""The role postgres: its data, what follows from it, and what becomes of it on a host."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from roles.postgres import Postgres, configuration, role, versions
from roles.postgres.access import HbaEntry
from roles.postgres.logins import roles_of
from roles.postgres.sizing import sized
from roles.postgres.tasks import source_file
from slipway import compose, scram
from slipway.context import Context
from slipway.fleet import Fleet, Machine, Member
from slipway.ops.postgres.settings import conf_value, elements, is_in_force
from slipway.problems import BadInput
from slipway.secrets import Secret, Secrets
from slipway.sql import identifier, literal

DEBIAN_12 = Machine("debian", "12", "bookworm", "amd64", cpus=2, memory_mb=2048)
DEBIAN_13 = Machine("debian", "13", "trixie", "amd64", cpus=2, memory_mb=2048)
MEMBERS = (
    Member("db1", "10.0.0.31", ("postgres",)),
    Member("worker1", "10.0.0.21", ("workers",)),
    Member("worker2", "10.0.0.22", ("workers",)),
    Member("edge1", "10.0.0.11", ("nginx",)),
)


def context(machine: Machine = DEBIAN_13, stack: Any = None, members: tuple[Member, ...] = MEMBERS) -> Context:
    fleet = Fleet("test", members)
    return Context(fleet.member("db1"), fleet, Secrets("test", lambda name: None), stack=stack, machine=machine)


def wanted(**fields: Any) -> Postgres:
    return Postgres.model_validate(fields)


# --- sizes


MEMORY = st.integers(256, 256 * 1024)


def _mb(value: object) -> float:
    text = str(value)
    return int(text[:-2]) * (1 if text.endswith("MB") else 1 / 1024)


@given(MEMORY, st.integers(1, 128))
def test_sizes_leave_room_for_the_connections_themselves(memory: int, cpus: int) -> None:
    """From 256 MiB to 256 GiB, buffers, sorts of every connection and maintenance take three quarters at most."""
    sizes = sized(memory, cpus, None, "ssd")
    taken = _mb(sizes["shared_buffers"]) + int(sizes["max_connections"]) * _mb(sizes["work_mem"])
    assert taken + 3 * _mb(sizes["maintenance_work_mem"]) <= memory * 0.75


@given(MEMORY, MEMORY)
def test_more_memory_never_means_a_smaller_size(one: int, other: int) -> None:
    """A host with more memory gets no setting smaller than a host with less."""
    less, more = (sized(memory, 2, None, "ssd") for memory in sorted((one, other)))
    for name in ("shared_buffers", "effective_cache_size", "maintenance_work_mem", "max_wal_size"):
        assert _mb(less[name]) <= _mb(more[name])
    assert int(less["max_connections"]) <= int(more["max_connections"])


def test_many_connections_share_the_same_memory() -> None:
    """Whoever asks for more connections gets less memory for each, not more memory in all."""
    assert _mb(sized(8192, 4, 1000, "ssd")["work_mem"]) == pytest.approx(2, abs=0.1)
    assert _mb(sized(8192, 4, 100, "ssd")["work_mem"]) == pytest.approx(20.5, abs=0.1)


def test_settings_of_group_data_win_over_those_of_the_compose_file_and_the_sizes() -> None:
    """Beneath a person's word stands the Compose file's, beneath that what the memory says."""
    data = wanted(settings={"work_mem": "7MB"}, application={"settings": {"work_mem": "9MB", "jit": "off"}})
    settings = configuration.settings(data, context())
    assert (settings["work_mem"], settings["jit"], settings["shared_buffers"]) == ("7MB", "off", "512MB")


def test_buffers_that_the_host_cannot_hold_are_refused_before_they_are_written() -> None:
    """A server that could not start with its configuration is told of while the old one still runs."""
    with pytest.raises(BadInput, match="does not fit into the 2048 MiB"):
        configuration.settings(wanted(settings={"shared_buffers": "3GB"}), context())


# --- values and names


@given(st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), min_size=1, max_size=15))
def test_a_quoted_identifier_is_read_back_as_the_same_name(name: str) -> None:
    """No name, whatever is in it, ends its own quotes."""
    quoted = identifier(name)
    assert quoted[0] == quoted[-1] == '"'
    assert quoted[1:-1].replace('""', "").count('"') == 0
    assert quoted[1:-1].replace('""', '"') == name


@given(st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), max_size=30))
def test_a_literal_has_no_quote_or_backslash_that_stands_alone(value: str) -> None:
    """No value ends its own quotes, with or without standard_conforming_strings."""
    body = literal(value).removeprefix("E")[1:-1]
    assert body.replace("''", "").count("'") == 0
    assert body.replace("\\\\", "").count("\\") == 0
    assert body.replace("''", "'").replace("\\\\", "\\") == value


@pytest.mark.parametrize("name", ["", "a\0b", "x" * 64, "é" * 32])
def test_a_name_that_postgres_would_cut_off_is_refused(name: str) -> None:
    """Two names never become one."""
    with pytest.raises(ValueError, match="is no PostgreSQL name"):
        identifier(name)


def test_a_verifier_is_what_the_standard_says() -> None:
    """The password, salt and iterations of RFC 7677 give the keys of its example."""
    salt = "W22ZaJ0SNY7soEsUEjb6gQ=="
    made = scram.verifier(Secret("pencil"), salt, 4096).reveal()
    assert made == (
        f"SCRAM-SHA-256$4096:{salt}$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
        "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
    )


@pytest.mark.parametrize(
    ("value", "setting", "unit", "kind", "same"),
    [
        ("512MB", "65536", "8kB", "integer", True),
        ("0.5GB", "65536", "8kB", "integer", True),
        ("512MB", "16384", "8kB", "integer", False),
        (600, "600", "s", "integer", True),
        ("10min", "600000", "ms", "integer", True),
        (-1, "-1", "ms", "integer", True),
        (True, "on", None, "bool", True),
        ("off", "on", None, "bool", False),
        (1.1, "1.1", None, "real", True),
        ("Replica", "replica", None, "enum", True),
        ("a b ", "a b", None, "string", False),
    ],
)
def test_spellings_of_one_value_are_the_same(value: Any, setting: str, unit: str, kind: str, same: bool) -> None:
    """What the server runs with is compared in its own unit, not by spelling."""
    assert is_in_force(value, {"setting": setting, "unit": unit, "type": kind}) is same


def test_a_value_in_the_settings_file_keeps_its_quotes_and_backslashes() -> None:
    """The file's own escapes are escaped."""
    assert conf_value("it's\\n") == "'it''s\\\\n'"
    assert conf_value(False) == "off"


# --- pg_hba.conf


def test_a_line_quotes_names_and_not_the_words_of_the_file() -> None:
    """A database called like a word of pg_hba.conf cannot be meant; any other name is only ever a name."""
    entry = HbaEntry(databases=["all", 'my "db"'], roles=["+readers", "app"], address="10.0.0.5/32")
    assert entry.line() == 'host all,"my ""db""" +"readers","app" 10.0.0.5/32 scram-sha-256'


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"address": None}, "every other type needs one"),
        ({"type": "local", "address": "10.0.0.5/32"}, "local has no address"),
        ({"address": "10.0.0.5"}, "write how long the prefix is: 10.0.0.5/32"),
        ({"address": "10.0.0.5/24"}, "write a network as 10.0.0.0/24"),
        ({"address": "10.0.0.5/32", "method": "trust"}, "Input should be"),
        ({"address": "10.0.0.5/32", "method": "peer"}, "set type: local"),
        ({"address": "10.0.0.5/32", "roles": ["a\nhost all all 0.0.0.0/0 trust"]}, "control character"),
        ({"address": "10.0.0.5/32", "databases": ["/.*"]}, "begins with '/'"),
    ],
)
def test_a_line_that_is_wrong_or_unsafe_is_refused(fields: dict[str, Any], told: str) -> None:
    """Nothing that PostgreSQL would refuse, or that lets anybody in, gets as far as the file."""
    with pytest.raises(ValidationError, match=told):
        HbaEntry.model_validate(fields)


def test_the_application_needs_tls_where_the_data_says_so() -> None:
    """require_tls turns the application's lines into hostssl, and leaves localhost alone."""
    line = {"databases": ["a"], "roles": ["r"], "address": "10.0.0.5/32"}
    data = wanted(require_tls=True, application={"hba": [line]})
    types = [entry.type for entry in configuration.hba_lines(data, context())]
    assert types == ["local", "local", "host", "host", "hostssl"]


# --- data


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"settings": {"port": 5433}}, "use the field port"),
        ({"settings": {"data_directory": "/x"}}, "use the field data_directory"),
        ({"settings": {"work_mem": "1MB\nport = 1"}}, "in one line"),
        ({"listen": ["*"]}, "name the addresses"),
        ({"databases": [{"name": "a", "owner": "nobody"}]}, "add that to roles"),
        ({"databases": [{"name": "template1"}]}, "choose another"),
        ({"roles": [{"name": "pg_me"}]}, "choose another"),
        ({"roles": [{"name": "a"}, {"name": "a"}]}, "is there twice"),
        ({"roles": [{"name": "postgres"}]}, "server's own superuser"),
        ({"roles": [{"name": "a"}], "grants": [{"role": "a", "database": "b", "privileges": ["ALL"]}]}, "database 'b'"),
        ({"grants": [{"role": "b", "database": "postgres", "privileges": ["ALL"]}]}, "the role 'b'"),
        ({"grants": [{"role": "b", "database": "a", "privileges": ["SELECT"]}]}, "no privilege on database"),
        ({"tls_certificate": "/etc/x.pem"}, "go together"),
        ({"shared_buffers": "1GB"}, "Extra inputs"),
        ({"port": "5432"}, "valid integer"),
    ],
)
def test_wrong_data_is_refused_with_what_to_do(fields: dict[str, Any], told: str) -> None:
    """A mistake in group_data is told before any connection."""
    with pytest.raises(ValidationError, match=told):
        wanted(**fields)


@pytest.mark.parametrize(
    ("machine", "fields", "version"),
    [
        (DEBIAN_12, {}, 15),
        (DEBIAN_13, {}, 17),
        (DEBIAN_12, {"version": 17, "repository": "pgdg"}, 17),
        (DEBIAN_12, {"application": {"version_at_least": 16}, "repository": "pgdg"}, 16),
        (DEBIAN_13, {"application": {"version_at_least": 15}}, 17),
        (DEBIAN_12, {"application": {"version_at_least": 17}, "version": 15}, 15),
    ],
)
def test_the_version_is_the_distributions_unless_data_says_otherwise(
    machine: Machine, fields: dict[str, Any], version: int
) -> None:
    """A Compose file's version is the least; another repository can have every one."""
    assert versions.version_of(wanted(**fields), machine) == version


@pytest.mark.parametrize(
    ("machine", "fields", "told"),
    [
        (DEBIAN_12, {"version": 17}, "packages PostgreSQL 15, not 17"),
        (DEBIAN_12, {"application": {"version_at_least": 17}}, "image is PostgreSQL 17, debian 12 has 15"),
        (
            DEBIAN_12,
            {"databases": [{"name": "a", "extensions": ["vector"]}]},
            "does not package the extension 'vector'",
        ),
        (Machine("plan9", "4", "", "amd64", 2, 2048), {}, "not known what plan9 4 packages"),
    ],
)
def test_what_a_host_cannot_have_is_told_with_what_to_do(machine: Machine, fields: dict[str, Any], told: str) -> None:
    """A version or extension that the distribution lacks never becomes a failed installation."""
    data = wanted(**fields)
    with pytest.raises(BadInput, match=told) as error:
        versions.packages(data, context(machine), versions.version_of(data, machine))
    assert "HINT" in str(error.value)


# --- what follows from the Compose file


COMPOSE = """
services:
  api:
    image: example.org/api:1
    depends_on: [db]
  db:
    image: pgvector/pgvector:pg17
    command: postgres -c work_mem=9MB
    environment: {POSTGRES_DB: shop, POSTGRES_USER: shop_owner, POSTGRES_PASSWORD_FILE: /run/secrets/db_password}
    secrets: [db_password]
    ports: ["5433:5432"]
secrets:
  db_password: {external: true}
x-slipway:
  migrate: {service: api, command: [migrate]}
"""


@pytest.fixture
def stack(tmp_path: Path) -> Any:
    path = tmp_path / "compose.yaml"
    path.write_text(COMPOSE, encoding="utf-8")
    return compose.load(path, variables={}, secret_names=("db_password",))


def test_a_compose_file_becomes_roles_databases_and_grants(stack: Any) -> None:
    """What the file's Postgres service says is there on the role's own host, its password by name only."""
    data = role.wanted({}, context(stack=stack))
    assert isinstance(data, Postgres)
    assert [(each.name, each.password, each.superuser) for each in data.all_roles] == [
        ("shop_owner", "db_password", False)
    ]
    assert [(each.name, each.owner) for each in data.all_databases] == [("shop", "shop_owner")]
    assert [each.name for each in data.all_databases[0].wanted_extensions] == ["vector"]
    assert {(each.role, each.on) for each in data.all_grants} == {("shop_owner", "database"), ("shop_owner", "schema")}
    assert (data.port, data.application.settings, data.application.ledger) == (5433, {"work_mem": "9MB"}, ["shop"])


def test_only_hosts_that_run_the_application_may_connect(stack: Any) -> None:
    """One line for each worker, by its own address; none for the edge, none for a network."""
    data = role.wanted({}, context(stack=stack))
    assert isinstance(data, Postgres)
    found = configuration.hba_lines(data, context())
    lines = [entry.line() for entry in found if entry.address and "10." in entry.address]
    assert lines == [
        'host "shop" "shop_owner" 10.0.0.21/32 scram-sha-256',
        'host "shop" "shop_owner" 10.0.0.22/32 scram-sha-256',
    ]


def test_containers_beside_the_server_may_connect_where_it_runs_the_application_too(stack: Any) -> None:
    """On an all-in-one host connections of containers come from Docker's networks, and from nowhere else."""
    alone = (Member("db1", "10.0.0.31", ("postgres", "workers")),)
    data = role.wanted({}, context(stack=stack, members=alone))
    assert isinstance(data, Postgres)
    assert [entry.address for entry in data.application.hba] == ["10.0.0.31/32", "172.16.0.0/12"]


def test_group_data_adds_to_what_the_compose_file_says(stack: Any) -> None:
    """A role of one's own does not push the application's out."""
    data = role.wanted({"roles": [{"name": "readers", "login": False}]}, context(stack=stack))
    assert isinstance(data, Postgres)
    assert [each.name for each in data.all_roles] == ["readers", "shop_owner"]


def test_the_projects_own_repository_is_signed_and_for_the_hosts_release() -> None:
    """The source names one suite, that of the host's release, and the one key that may sign it."""
    data = wanted(repository="pgdg", repository_url="https://mirror.example/apt")
    assert source_file(data, context(DEBIAN_12)).splitlines()[1:] == [
        "Types: deb",
        "URIs: https://mirror.example/apt",
        "Suites: bookworm-pgdg",
        "Components: main",
        "Signed-By: /usr/share/postgresql-common/pgdg/apt.postgresql.org.asc",
    ]


def test_files_say_that_hand_edits_are_undone(stack: Any) -> None:
    """Each rendered file begins with who manages it."""
    data = role.wanted({}, context(stack=stack))
    assert isinstance(data, Postgres)
    ctx = context(stack=stack)
    for text in (configuration.settings_file(data, ctx), configuration.hba_file(data, ctx)):
        assert text.startswith("# Managed by Slipway: hand edits are undone by the next run.\n")


# --- two logins for one password


def rotating(**entries: str) -> Context:
    """A context whose source has these entries of the secret `pw` besides its value."""
    held = {"pw": "one", **{f"pw.{kind}": value for kind, value in entries.items()}}
    return replace(context(), secrets=Secrets("test", held.get, tuple(held)))


SHOP = {"name": "shop", "password": "pw", "settings": {"work_mem": "9MB"}}


@pytest.mark.parametrize(
    ("entries", "logins"),
    [
        ({}, {"shop": "pw"}),
        ({"next": "two"}, {"shop": "pw", "shop__b": "pw.next"}),
        ({"previous": "zero", "login": "shop__b"}, {"shop": "pw.previous", "shop__b": "pw"}),
        ({"revoked": "owed", "login": "shop__b"}, {"shop": None, "shop__b": "pw"}),
        ({"login": "shop__b", "next": "two"}, {"shop": "pw.next", "shop__b": "pw"}),
        ({"login": "shop", "previous": "zero"}, {"shop": "pw", "shop__b": "pw.previous"}),
        ({"login": "shop"}, {"shop": "pw", "shop__b": None}),
    ],
)
def test_two_logins_take_turns_through_two_rotations(entries: dict[str, str], logins: dict[str, str | None]) -> None:
    """At every moment exactly the versions that the source holds can log in; the role itself always is there, first."""
    data, ctx = wanted(roles=[SHOP], hba=[{"roles": ["shop"], "address": "10.0.0.5/32"}]), rotating(**entries)
    found = roles_of(data, ctx)
    assert {each.name: each.password if each.login else None for each in found} == logins
    assert found[0].name == "shop"
    assert found[0].settings == {"work_mem": "9MB"}
    line = next(each for each in configuration.hba_lines(data, ctx) if each.address == "10.0.0.5/32")
    assert line.roles == list(logins)
    for second in found[1:]:
        assert (second.member_of, second.settings) == (["shop"], {"work_mem": "9MB", "role": "shop"})


def test_the_superuser_has_one_login() -> None:
    """postgres always may log in: no second login is made of it."""
    data = wanted(roles=[{"name": "postgres", "superuser": True, "password": "pw"}])
    assert [each.name for each in roles_of(data, rotating(next="two"))] == ["postgres"]


def test_a_login_that_is_neither_of_the_two_is_told() -> None:
    """A role that was renamed in the middle is no reason to lock anybody out; the entry's own text is not shown."""
    with pytest.raises(BadInput, match=r"'pw\.login' names neither 'shop' nor 'shop__b'"):
        roles_of(wanted(roles=[SHOP]), rotating(login="canary"))


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ("app, public", ["app", "public"]),
        ('"$user", "Odd, one", Public', ["$user", "Odd, one", "public"]),
        ('"a""b"', ['a"b']),
        ("", [""]),
        ("app", ["app"]),
    ],
)
def test_a_list_of_names_is_read_as_postgres_reads_it(value: str, names: list[str]) -> None:
    """Each by itself: as one literal, `app, public` would be a single schema of that name."""
    assert elements(value) == names
