"""The passwords that PostgreSQL checks: one for each login, so that two logins take turns."""

from __future__ import annotations

from pydantic import ValidationError

from roles.postgres.access import DatabaseRole
from roles.postgres.data import Postgres
from roles.postgres.derive import is_of_the_source
from roles.postgres.logins import can_take_turns
from roles.postgres.tasks import cluster_of
from slipway.context import Context
from slipway.facts.postgres import SessionsFact
from slipway.remote import Remote, RemoteFailed
from slipway.role import Password
from slipway.secrets import Versions
from slipway.secrets.versions import other_login


def passwords(data: Postgres, ctx: Context) -> list[Password]:
    """Of each role that has one in the inventory's source."""
    return [
        _password(role, role.password, data, ctx)
        for role in data.all_roles
        if role.password and role.state == "present" and is_of_the_source(role.password, ctx)
    ]


def _password(role: DatabaseRole, secret: str, data: Postgres, ctx: Context) -> Password:
    def sessions(remote: Remote, versions: Versions, seconds: float) -> list[str]:
        cluster, old = cluster_of(data, ctx), other_login(role.name, versions.login or role.name)
        found = remote.fact(SessionsFact, cluster=cluster, login=old)
        if found.state != "here":
            raise RemoteFailed(remote.name, [f"PostgreSQL {cluster.version}/{cluster.cluster} is {found.state}"])
        return [str(line) for line in found.said]

    return Password(secret, sessions, (role.name, other_login(role.name, role.name)), _refusal(role))


def _refusal(role: DatabaseRole) -> str:
    if not can_take_turns(role):
        return f"{role.name} is the server's own superuser, or no login: give the application a role of its own"
    try:
        DatabaseRole(name=other_login(role.name, role.name))
    except ValidationError:
        return f"{other_login(role.name, role.name)} would be too long a name for a second login"
    return ""
