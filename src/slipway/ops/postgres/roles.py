"""Roles: attributes, password, memberships and settings, altered where they differ and only there."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import Any

from pyinfra import host
from pyinfra.api import StringCommand, operation

from slipway import scram
from slipway.facts.postgres import Cluster, RolesFact
from slipway.ops.postgres.psql import UNLOGGED, run, settings_of, unknown
from slipway.ops.postgres.settings import NAME_LISTS, elements
from slipway.report import note_change
from slipway.secrets import Secret
from slipway.sql import identifier, literal

WORDS = {
    "login": "LOGIN",
    "superuser": "SUPERUSER",
    "createdb": "CREATEDB",
    "createrole": "CREATEROLE",
    "inherit": "INHERIT",
    "replication": "REPLICATION",
    "bypassrls": "BYPASSRLS",
}
"""Attribute to the word that gives it; NO before it takes it."""


@operation()
def role(
    cluster: Cluster,
    role: str,
    password: Secret | None = None,
    attributes: Mapping[str, bool] | None = None,
    connection_limit: int = -1,
    member_of: Sequence[str] = (),
    settings: Mapping[str, str] | None = None,
) -> Generator[StringCommand]:
    """A role with exactly these attributes and settings, this password, and at least these memberships.

    + password: None leaves the one it has; otherwise compared by its SCRAM verifier and sent as one
    + attributes: login, superuser, createdb, createrole, inherit, replication, bypassrls; login and inherit by default
    + settings: what every session of it starts with, as `statement_timeout`
    """
    found = host.get_fact(RolesFact, cluster=cluster)
    if found.is_down:
        yield unknown(f"role {role}", cluster)
        return
    held = found.get(role)
    wanted = {**dict.fromkeys(WORDS, False), "login": True, "inherit": True, **(attributes or {})}
    steps = [] if held else [("new", f"CREATE ROLE {identifier(role)}")]
    steps += _attributes(role, held or {}, wanted, connection_limit)
    steps += _password(role, held or {}, password)
    steps += _memberships(role, held or {}, member_of)
    steps += _settings(role, held or {}, settings or {})
    if steps:
        note_change(f"role {role}", ", ".join(what for what, _ in steps))
        yield run(cluster, "postgres", [*UNLOGGED, *(statement for _, statement in steps)])


Steps = list[tuple[str, str]]
"""What changes, in words for a plan, and the statement that does it."""


def _attributes(role: str, held: Mapping[str, Any], wanted: Mapping[str, bool], limit: int) -> Steps:
    differing = [(WORDS[name] if has else f"NO{WORDS[name]}") for name, has in wanted.items() if held.get(name) != has]
    if held.get("connection_limit") != limit:
        differing.append(f"CONNECTION LIMIT {limit:d}")
    return [(" ".join(differing), f"ALTER ROLE {identifier(role)} {' '.join(differing)}")] if differing else []


def _password(role: str, held: Mapping[str, Any], password: Secret | None) -> Steps:
    if password is None:
        return []
    stored = held.get("password")
    if stored and scram.is_of(password, stored["salt"], stored["iterations"], stored["digest"]):
        return []
    return [("password", f"ALTER ROLE {identifier(role)} PASSWORD {literal(scram.verifier(password).reveal())}")]


def _memberships(role: str, held: Mapping[str, Any], member_of: Sequence[str]) -> Steps:
    missing = [group for group in member_of if group not in held.get("member_of", [])]
    return [(f"member of {group}", f"GRANT {identifier(group)} TO {identifier(role)}") for group in missing]


def _settings(role: str, held: Mapping[str, Any], wanted: Mapping[str, str]) -> Steps:
    return setting_steps(f"ROLE {identifier(role)}", settings_of(held.get("settings", [])), wanted)


def setting_steps(target: str, held: Mapping[str, str], wanted: Mapping[str, str]) -> Steps:
    """ALTER ... SET and RESET that lead from one set of settings to the other."""
    steps = [
        (f"{name} = {value}", f"ALTER {target} SET {_dotted(name)} = {_literals(name, value)}")
        for name, value in wanted.items()
        if name not in held or not _is_same(name, held[name], value)
    ]
    gone = [name for name in held if name not in wanted]
    return steps + [(f"{name} reset", f"ALTER {target} RESET {_dotted(name)}") for name in gone]


def _literals(name: str, value: str) -> str:
    """The value as SET takes it: of a list of names each by itself, or Postgres would take them for one."""
    return ", ".join(map(literal, elements(value))) if name in NAME_LISTS else literal(value)


def _is_same(name: str, held: str, wanted: str) -> bool:
    return elements(held) == elements(wanted) if name in NAME_LISTS else held == wanted


def _dotted(name: str) -> str:
    """A setting's name; those of extensions have a prefix."""
    return ".".join(identifier(part) for part in name.split("."))


@operation()
def no_role(cluster: Cluster, role: str) -> Generator[StringCommand]:
    """No role of this name. Fails, and says on what, where it still owns something: nothing is dropped with it."""
    found = host.get_fact(RolesFact, cluster=cluster)
    if found.is_down:
        yield unknown(f"role {role}", cluster)
    elif role in (found.said or {}):
        note_change(f"role {role}", "dropped")
        yield run(cluster, "postgres", [f"DROP ROLE {identifier(role)}"])
