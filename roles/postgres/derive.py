"""What the Compose file says of Postgres, and which hosts of the fleet run the application that needs it."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from slipway.context import Context
from slipway.release import secret_of
from slipway.secrets import Secret, Versions
from slipway.secrets.versions import split

if TYPE_CHECKING:
    from slipway.compose.model import NativeRole, NativeService, Stack
    from slipway.compose.parts import SecretRef

OWNERS_GRANTS = (("database", "public"), ("schema", "public"))
"""What the application's role holds by name, though as owner it could give it to itself: a lost one is then seen."""
CONTAINER_NETWORKS = "172.16.0.0/12"
"""Where Docker's own networks lie by default."""


def derive(ctx: Context) -> Mapping[str, Any]:
    """Role data from the stack's Postgres services whose group this host is in; nothing without one."""
    if ctx.stack is None:
        return {}
    services = [each for each in ctx.stack.native.values() if each.kind == "postgres" and each.group in ctx.host.groups]
    if not services:
        return {}
    derived: dict[str, Any] = {"application": _application(ctx, ctx.stack, services)}
    ports = [each.port for each in services if each.port]
    derived |= {"port": ports[0]} if ports else {}
    directories = [each.data_directory for each in services if each.data_directory]
    derived |= {"data_directory": directories[0]} if directories else {}
    return derived | _initdb([word for each in services for word in each.initdb_args])


def _application(ctx: Context, stack: Stack, services: list[NativeService]) -> dict[str, Any]:
    pairs = [(database.name, database.owner) for each in services for database in each.databases]
    versions = [major for each in services if (major := _major(each.version)) is not None]
    return {
        "version_at_least": max(versions, default=None),
        "roles": [_role(role) for each in services for role in each.roles],
        "databases": [
            {"name": database.name, "owner": database.owner, "extensions": list(database.extensions)}
            for each in services
            for database in each.databases
        ],
        "grants": [
            {"role": role, "database": database, "on": on, "in_schema": schema, "privileges": ["ALL"]}
            for database, role in pairs
            for on, schema in OWNERS_GRANTS
        ],
        "hba": [_line(*pair, address) for pair in pairs for address in _addresses(ctx, stack)],
        "settings": {name: value for each in services for name, value in each.settings.items()},
        "ledger": sorted({database for database, _ in pairs}) if stack.migration else [],
    }


def _major(version: str | None) -> int | None:
    match = re.match(r"[0-9]+", version or "")
    return int(match[0]) if match else None


def _role(role: NativeRole) -> dict[str, Any]:
    return {
        "name": role.name,
        "password": role.password.source if role.password else None,
        # The image makes its user a superuser; a role of the application's own database needs no such thing.
        "superuser": role.name == "postgres",
        **(
            dict.fromkeys(("createdb", "createrole", "replication", "bypassrls"), True)
            if role.name == "postgres"
            else {}
        ),
    }


def password_of(name: str, ctx: Context) -> Secret:
    """A role's password by the name in its data. One that the Compose file takes from elsewhere is read from there.

    Raises SecretMissing.
    """
    elsewhere, (own, kind) = _elsewhere(ctx), split(name)
    if name in elsewhere:
        return secret_of(elsewhere[name], ctx.secrets)
    return ctx.secrets.version(own, kind) if kind and own not in elsewhere else ctx.secret(name)


def versions_of(name: str, ctx: Context) -> Versions:
    """What there is of a role's password besides the present one. Raises SecretMissing."""
    return ctx.secrets.versions(name) if is_of_the_source(name, ctx) else Versions()


def is_of_the_source(name: str, ctx: Context) -> bool:
    """Whether it is read from the inventory's source, and not from where the Compose file says otherwise."""
    return name not in _elsewhere(ctx)


def _elsewhere(ctx: Context) -> dict[str, SecretRef]:
    """Passwords that the Compose file takes from elsewhere than the inventory's source."""
    natives = ctx.stack.native.values() if ctx.stack else ()
    refs = [role.password for each in natives for role in each.roles if role.password]
    return {ref.source: ref for ref in refs if ref.kind != "slipway"}


def _addresses(ctx: Context, stack: Stack) -> Iterator[str]:
    """Networks that the application's connections come from: each host of its groups, once, in inventory order."""
    groups = {service.x.group for service in stack.services}
    members = [member for member in ctx.fleet if groups & set(member.groups) or "all" in groups]
    yield from dict.fromkeys(str(ipaddress.ip_network(member.address)) for member in members)
    if any(member.name == ctx.host.name for member in members):
        # Containers on this very host are not masqueraded on their way to it.
        yield CONTAINER_NETWORKS


def _line(database: str, role: str, address: str) -> dict[str, Any]:
    return {"databases": [database], "roles": [role], "address": address}


def _initdb(words: list[str]) -> dict[str, Any]:
    """What the image hands to initdb, as far as the role has a field for it."""
    given = dict(word.removeprefix("--").partition("=")[::2] for word in words if word.startswith("--"))
    fields = {"locale": given.get("locale"), "encoding": given.get("encoding")}
    return {name: value for name, value in fields.items() if value}
