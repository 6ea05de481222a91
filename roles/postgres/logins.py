"""Two logins for one role while its password is rotated: PostgreSQL knows one password for each. Pure.

The second one, NAME__b, is a member of the first and becomes it as it logs in (SET role): what it makes belongs to the
same owner, and it may do the same. They take turns: one rotation leads from the first to the second, the next one back.
Which of them the present password belongs to is an entry of the secret source.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from roles.postgres.access import DatabaseRole, HbaEntry
from roles.postgres.data import Postgres
from roles.postgres.derive import versions_of
from slipway.context import Context
from slipway.problems import BadInput, Problem
from slipway.secrets.versions import LOGIN, Versions, entry, other_login


def roles_of(data: Postgres, ctx: Context) -> list[DatabaseRole]:
    """Every role of the data, with the second login of each whose password is or was rotated."""
    return [login for role in data.all_roles for login in _logins(role, ctx)]


def with_second_logins(lines: Iterable[HbaEntry], data: Postgres, ctx: Context) -> list[HbaEntry]:
    """The same lines of pg_hba.conf; where one names a role, its second login is let in as well."""
    seconds = {role.name: pair[1].name for role in data.all_roles if len(pair := list(_logins(role, ctx))) == 2}
    return [_with_seconds(each, seconds) for each in lines]


def _with_seconds(line: HbaEntry, seconds: dict[str, str]) -> HbaEntry:
    added = [seconds[name] for name in line.roles if name in seconds and seconds[name] not in line.roles]
    return line.model_copy(update={"roles": [*line.roles, *added]}) if added else line


def can_take_turns(role: DatabaseRole) -> bool:
    """Whether it can have a second login: the superuser postgres is the server's own and always may log in."""
    return role.state == "present" and role.login and role.name != "postgres"


def _logins(role: DatabaseRole, ctx: Context) -> Iterator[DatabaseRole]:
    versions = versions_of(role.password, ctx) if role.password and can_take_turns(role) else Versions()
    if not (versions.login or versions.other):
        yield role
        return
    present = _present(role, versions, ctx)
    second = DatabaseRole(
        name=other_login(role.name, role.name), member_of=[role.name], connection_limit=role.connection_limit,
        settings={**role.settings, "role": role.name},
    )  # fmt: skip
    for login in (role, second):
        yield login.model_copy(update=_way_in(login.name == present, role.password or "", versions))


def _present(role: DatabaseRole, versions: Versions, ctx: Context) -> str:
    present = versions.login or role.name
    if present not in (role.name, other_login(role.name, role.name)):
        told = entry(role.password or "", LOGIN)
        what = f"{told!r} names neither {role.name!r} nor {other_login(role.name, role.name)!r}"
        raise BadInput([Problem(f"secrets ({ctx.secrets.source})", what, "remove that entry once its login is gone")])
    return present


def _way_in(is_present: bool, secret: str, versions: Versions) -> dict[str, object]:
    """How one of the pair logs in: with the present password, with the other one where there is one, or not at all."""
    if is_present:
        return {"login": True, "password": secret}
    other = versions.other_kind
    return {"login": bool(other), "password": entry(secret, other) if other else None}
