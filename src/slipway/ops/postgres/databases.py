"""Databases, and the schemas and extensions in them."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import Any

from pyinfra import host
from pyinfra.api import StringCommand, operation

from slipway.facts.postgres import Cluster, DatabaseFact, DatabasesFact
from slipway.ops.postgres.psql import refuse, run, settings_of, unknown
from slipway.ops.postgres.roles import Steps, setting_steps
from slipway.report import note_change
from slipway.sql import identifier, literal


@operation()
def database(
    cluster: Cluster,
    database: str,
    owner: str = "postgres",
    encoding: str = "UTF8",
    collate: str = "",
    ctype: str = "",
    template: str = "template0",
    connection_limit: int = -1,
    public_may_connect: bool = False,
    settings: Mapping[str, str] | None = None,
) -> Generator[StringCommand]:
    """A database with this owner, limit and settings, which not everybody may connect to.

    + collate, ctype: for a new one; empty takes the cluster's. Encoding and locale of an existing one cannot change:
      the operation fails where they differ from what is asked for.
    """
    found = host.get_fact(DatabasesFact, cluster=cluster)
    if found.is_down:
        yield unknown(f"database {database}", cluster)
        return
    held = found.get(database)
    fixed = {"encoding": encoding, "collate": collate, "ctype": ctype}
    if held:
        yield from _fixed_for_good(database, held, fixed)
    else:
        note_change(f"database {database}", "new")
        yield run(cluster, "postgres", [_create(database, owner, template, fixed)], together=False)
    steps = _steps(database, held or {"owner": owner}, owner, connection_limit, public_may_connect, settings or {})
    if steps:
        note_change(f"database {database}", ", ".join([*([] if held else ["new"]), *(what for what, _ in steps)]))
        yield run(cluster, "postgres", [statement for _, statement in steps])


def _create(database: str, owner: str, template: str, fixed: Mapping[str, str]) -> str:
    words = {"encoding": "ENCODING", "collate": "LC_COLLATE", "ctype": "LC_CTYPE"}
    options = "".join(f" {words[key]} {literal(value)}" for key, value in fixed.items() if value)
    return f"CREATE DATABASE {identifier(database)} OWNER {identifier(owner)} TEMPLATE {identifier(template)}{options}"


def _fixed_for_good(database: str, held: Mapping[str, Any], fixed: Mapping[str, str]) -> Generator[StringCommand]:
    differing = [key for key, value in fixed.items() if value and _plain(value) != _plain(str(held[key]))]
    if differing:
        note_change(f"database {database}", f"{', '.join(differing)} cannot be changed")
        told = ", ".join(f"{key} {held[key]}, not {fixed[key]}" for key in differing)
        yield refuse(
            f"database {database!r} has {told}; that is decided when a database is created",
            "write what it has into group_data, or dump it, create it anew and restore it",
        )


def _plain(name: str) -> str:
    """`UTF-8`, `utf8` and `UTF8` are one."""
    return name.replace("-", "").replace("_", "").lower()


def _steps(
    database: str, held: Mapping[str, Any], owner: str, limit: int, public: bool, settings: Mapping[str, str]
) -> Steps:
    name = identifier(database)
    steps: Steps = []
    if held["owner"] != owner:
        steps.append((f"owner {held['owner']} -> {owner}", f"ALTER DATABASE {name} OWNER TO {identifier(owner)}"))
    if held.get("connection_limit", -1) != limit:
        steps.append((f"connection limit {limit:d}", f"ALTER DATABASE {name} CONNECTION LIMIT {limit:d}"))
    may = {"CONNECT", "TEMPORARY"} & set(held.get("public", ["CONNECT", "TEMPORARY"]))
    if may and not public:
        steps.append(("closed to PUBLIC", f"REVOKE CONNECT, TEMPORARY ON DATABASE {name} FROM PUBLIC"))
    if public and "CONNECT" not in may:
        steps.append(("open to PUBLIC", f"GRANT CONNECT, TEMPORARY ON DATABASE {name} TO PUBLIC"))
    return steps + setting_steps(f"DATABASE {name}", settings_of(held.get("settings", [])), settings)


@operation()
def schema(cluster: Cluster, database: str, schema: str, owner: str = "") -> Generator[StringCommand]:
    """A schema with this owner; empty leaves the owner it has."""
    found = host.get_fact(DatabaseFact, cluster=cluster, database=database)
    if found.is_down:
        yield unknown(f"schema {schema}", cluster)
        return
    held = found.get("schemas", {}).get(schema)
    name = identifier(schema)
    if held is None:
        note_change(f"schema {schema} in {database}", "new")
        owned = f" AUTHORIZATION {identifier(owner)}" if owner else ""
        yield run(cluster, database, [f"CREATE SCHEMA {name}{owned}"])
    elif owner and held != owner:
        note_change(f"schema {schema} in {database}", f"owner {held} -> {owner}")
        yield run(cluster, database, [f"ALTER SCHEMA {name} OWNER TO {identifier(owner)}"])


@operation()
def extension(
    cluster: Cluster, database: str, extension: str, schema: str = "", packages: Sequence[str] = ()
) -> Generator[StringCommand]:
    """An extension in a database. Fails, saying which package is missing, where the server does not have it.

    + schema: for its objects; empty leaves it to the extension
    + packages: what should have brought it, for the error
    """
    found = host.get_fact(DatabaseFact, cluster=cluster, database=database)
    if found.is_down:
        yield unknown(f"extension {extension}", cluster)
        return
    held = (found.get("extensions") or {}).get(extension)
    if held and schema in ("", held["schema"]):
        return
    note_change(f"extension {extension} in {database}", f"moved to {schema}" if held else "new")
    name, place = identifier(extension), identifier(schema) if schema else ""
    if held:
        yield run(cluster, database, [f"ALTER EXTENSION {name} SET SCHEMA {place}"])
    elif found.said and extension not in found.get("available", []):
        yield _not_available(cluster, extension, packages)
    else:
        yield run(cluster, database, [f"CREATE EXTENSION {name}" + (f" SCHEMA {place}" if place else "")])


def _not_available(cluster: Cluster, extension: str, packages: Sequence[str]) -> StringCommand:
    brought = f"installed: {', '.join(packages)}" if packages else "no package is named for it"
    return refuse(
        f"PostgreSQL {cluster.version} on this host has no extension {extension!r} ({brought})",
        f"name its package: postgres = {{'extension_packages': {{{extension!r}: 'postgresql-{{version}}-...'}}}}",
    )
