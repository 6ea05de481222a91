"""Privileges: what a role holds itself, on what is there and on what is still to come."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from pyinfra import host
from pyinfra.api import StringCommand, operation

from slipway.facts.postgres import Answer, Cluster
from slipway.facts.postgres_grants import GrantFact
from slipway.ops.postgres.psql import run, unknown
from slipway.report import note_change
from slipway.sql import identifier

PRIVILEGES = {
    "database": ("CONNECT", "CREATE", "TEMPORARY"),
    "schema": ("USAGE", "CREATE"),
    "tables": ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"),
    "sequences": ("USAGE", "SELECT", "UPDATE"),
    "functions": ("EXECUTE",),
}
"""Kind of thing to the privileges there are on it, in every supported version; also what ALL means."""


@operation()
def grant(
    cluster: Cluster,
    database: str,
    role: str,
    on: str,
    privileges: Sequence[str],
    schema: str = "public",
    objects: Sequence[str] = (),
    future_from: str = "",
) -> Generator[StringCommand]:
    """A role holds these privileges on the database, the schema, or tables, sequences or functions of the schema.

    + on: database, schema, tables, sequences, functions
    + privileges: their SQL names; ALL is every one of `PRIVILEGES[on]`
    + objects: names in the schema; empty means all that are there
    + future_from: also on what this role creates in the schema later; objects must be empty then

    More than these it may hold: what somebody else granted is not taken away.
    """
    wanted = PRIVILEGES[on] if "ALL" in privileges else tuple(privileges)
    for creator in ("", future_from) if future_from else ("",):
        found = host.get_fact(
            GrantFact, cluster=cluster, database=database, role=role, kind=on, privileges=wanted, schema=schema,
            objects=tuple(objects), creator=creator,
        )  # fmt: skip
        yield from _mend(cluster, database, role, on, wanted, schema, objects, creator, found)


def _mend(
    cluster: Cluster, database: str, role: str, on: str, wanted: Sequence[str], schema: str, objects: Sequence[str],
    creator: str, found: Answer,
) -> Generator[StringCommand]:  # fmt: skip
    subject = f"grant to {role} on {on} of {database}" + (f", created by {creator}" if creator else "")
    if found.is_down:
        yield unknown(subject, cluster)
    elif found.said or found.said is None:
        note_change(subject, f"{', '.join(wanted)} ({', '.join((found.said or ['all'])[:5])})")
        grants = f"GRANT {', '.join(wanted)} ON {_target(on, database, schema, objects, creator)} TO {identifier(role)}"
        owner = (
            f"ALTER DEFAULT PRIVILEGES FOR ROLE {identifier(creator)} IN SCHEMA {identifier(schema)} "
            if creator
            else ""
        )
        yield run(cluster, database, [owner + grants])


def _target(on: str, database: str, schema: str, objects: Sequence[str], creator: str) -> str:
    if creator:
        return on.upper()
    if on == "database":
        return f"DATABASE {identifier(database)}"
    if on == "schema":
        return f"SCHEMA {identifier(schema)}"
    if not objects:
        return f"ALL {on.upper()} IN SCHEMA {identifier(schema)}"
    named = ", ".join(f"{identifier(schema)}.{identifier(name)}" for name in objects)
    return f"{on.removesuffix('s').upper()} {named}"
