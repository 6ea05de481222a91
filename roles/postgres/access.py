"""Typed data of roles, databases, grants and of who may connect from where."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from roles.postgres.names import DatabaseName, Encoding, Line, Locale, Name, RoleName, SettingName, one_line
from slipway.addresses import network_of
from slipway.ops.postgres import PRIVILEGES
from slipway.role import RoleData

DATABASE_WORDS = frozenset({"all", "sameuser", "samerole", "replication"})
ROLE_WORDS = frozenset({"all"})


class DatabaseRole(RoleData):
    """A role (user or group) of the server."""

    name: RoleName
    """Its name."""
    password: Line | None = None
    """Name of the secret that holds its password; without one it has none, or keeps the one it has."""
    state: Literal["present", "absent"] = "present"
    """absent drops it, which fails as long as it owns anything."""
    login: bool = True
    """Whether it may connect; False makes it a group."""
    superuser: bool = False
    """Whether no permission is ever checked for it."""
    createdb: bool = False
    """Whether it may create databases."""
    createrole: bool = False
    """Whether it may create roles."""
    inherit: bool = True
    """Whether it has the privileges of the roles it is a member of without SET ROLE."""
    replication: bool = False
    """Whether it may stream the write-ahead log."""
    bypassrls: bool = False
    """Whether row security does not apply to it."""
    connection_limit: Annotated[int, Field(ge=-1)] = -1
    """Connections it may have at once; -1 is no limit of its own."""
    member_of: list[Name] = []
    """Roles whose privileges it shares; PostgreSQL's own, as pg_monitor, too. More that it has are left."""
    settings: dict[SettingName, Line] = {}
    """What its sessions start with, as statement_timeout: 30s. Others that it has are reset."""

    @model_validator(mode="after")
    def _superuser_postgres_stays_one(self) -> DatabaseRole:
        if self.name == "postgres" and not (self.superuser and self.login and self.state == "present"):
            raise ValueError("postgres is the server's own superuser; leave it out, or give it superuser: True")
        return self


class Schema(RoleData):
    """A schema of a database."""

    name: Name
    """Its name."""
    owner: RoleName | None = None
    """Role that owns it; None leaves the owner it has, or else the superuser."""


class Extension(RoleData):
    """An extension in a database."""

    name: Name
    """Its name as CREATE EXTENSION has it: vector, pg_trgm, uuid-ossp."""
    in_schema: Name | None = None
    """Schema for its objects; None leaves it to the extension."""


class Database(RoleData):
    """A database of the server."""

    name: DatabaseName
    """Its name."""
    owner: RoleName = "postgres"
    """Role that owns it."""
    encoding: Encoding = "UTF8"
    """Character set; decided when it is created."""
    lc_collate: Locale | None = None
    """Sort order; decided when it is created. None takes the cluster's locale."""
    lc_ctype: Locale | None = None
    """Character classes; decided when it is created. None takes the cluster's locale."""
    template: Name = "template0"
    """Database that a new one is copied from."""
    connection_limit: Annotated[int, Field(ge=-1)] = -1
    """Connections to it at once; -1 is no limit of its own."""
    public_may_connect: bool = False
    """Whether every role may connect, as is PostgreSQL's default; otherwise the owner and who is granted CONNECT."""
    settings: dict[SettingName, Line] = {}
    """What sessions in it start with. Others that it has are reset."""
    schemas: list[Schema] = []
    """Schemas that must be there."""
    extensions: list[Name | Extension] = []
    """Extensions that must be there, by name or with their schema."""

    @field_validator("extensions", mode="after")
    @classmethod
    def _each_with_its_fields(cls, extensions: list[str | Extension]) -> list[str | Extension]:
        return [Extension(name=each) if isinstance(each, str) else each for each in extensions]

    @property
    def wanted_extensions(self) -> list[Extension]:
        """Every extension with its fields."""
        return [each for each in self.extensions if isinstance(each, Extension)]


class Grant(RoleData):
    """Privileges of one role on one kind of thing."""

    role: RoleName
    """Who holds them."""
    database: DatabaseName
    """Where."""
    on: Literal["database", "schema", "tables", "sequences", "functions"] = "database"
    """Kind of thing."""
    privileges: Annotated[list[str], Field(min_length=1)]
    """SQL names, as SELECT; ALL is every one that there is for the kind."""
    in_schema: Name = "public"
    """Schema that is meant, or that the things are in."""
    objects: list[Name] = []
    """Names of tables, sequences or functions; empty means all that are there."""
    future_from: RoleName | None = None
    """Also on what this role creates in the schema later."""

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Grant:
        known = PRIVILEGES[self.on]
        wrong = [word for word in self.privileges if word not in (*known, "ALL")]
        if wrong:
            raise ValueError(f"{wrong[0]} is no privilege on {self.on}; choose from: {', '.join((*known, 'ALL'))}")
        if self.on in ("database", "schema") and (self.objects or self.future_from):
            raise ValueError(f"objects and future_from belong to tables, sequences and functions, not to {self.on}")
        if self.objects and self.future_from:
            raise ValueError("future_from goes with all objects of a schema; make two grants of it")
        return self


class HbaEntry(RoleData):
    """A line of pg_hba.conf: who may connect to what, from where, proving it how. The first that fits decides."""

    type: Literal["local", "host", "hostssl", "hostnossl"] = "host"
    """local is the socket; host any TCP connection; hostssl only one with TLS, hostnossl only one without."""
    databases: Annotated[list[DatabaseName], Field(min_length=1)] = ["all"]
    """Names, or one of all, sameuser, samerole, replication."""
    roles: Annotated[list[str], Field(min_length=1)] = ["all"]
    """Names, all, or +name for the members of a role."""
    address: str | None = None
    """Network as 10.0.0.5/32; None for local only."""
    method: Literal["scram-sha-256", "cert", "peer", "ldap", "gss", "radius", "pam", "reject"] = "scram-sha-256"
    """How the client proves who it is. trust, password and md5 are left out on purpose."""
    options: dict[SettingName, str] = {}
    """Options of the method, as clientcert: verify-full."""

    @field_validator("address")
    @classmethod
    def _is_a_network(cls, address: str | None) -> str | None:
        if address is not None:
            try:
                network_of(address)
            except ValueError as error:
                raise ValueError(f"{error}; write a network as 10.0.0.0/24, a host as 10.0.0.5/32") from None
            if "/" not in address:
                raise ValueError(f"write how long the prefix is: {address}/{32 if '.' in address else 128}")
        return address

    @field_validator("roles")
    @classmethod
    def _are_names(cls, roles: list[str]) -> list[str]:
        for name in roles:
            _check_name(name.removeprefix("+"))
        return roles

    @field_validator("options")
    @classmethod
    def _in_one_line(cls, options: dict[str, Any]) -> dict[str, Any]:
        if any('"' in one_line(value) for value in options.values()):
            raise ValueError('an option stands in one line, without "')
        return options

    @model_validator(mode="after")
    def _address_where_needed(self) -> HbaEntry:
        if (self.type == "local") != (self.address is None):
            raise ValueError("local has no address, every other type needs one as 10.0.0.5/32")
        if self.method == "peer" and self.type != "local":
            raise ValueError("peer works over the socket only; set type: local")
        return self

    def line(self) -> str:
        """As pg_hba.conf has it: names quoted, so that none of them is taken for a word of the file."""
        databases = ",".join(_word(name, DATABASE_WORDS) for name in self.databases)
        roles = ",".join(_member(name) for name in self.roles)
        options = [f'{key}="{value}"' for key, value in self.options.items()]
        return " ".join([self.type, databases, roles, *([self.address] if self.address else []), self.method, *options])


def _check_name(name: str) -> None:
    RoleNameOnly.model_validate({"name": name})


class RoleNameOnly(RoleData):
    """For checking a name that stands behind a plus sign."""

    name: Name
    """The name."""


def _member(name: str) -> str:
    return "+" + _word(name[1:], frozenset()) if name.startswith("+") else _word(name, ROLE_WORDS)


def _word(name: str, words: frozenset[str]) -> str:
    return name if name in words else '"' + name.replace('"', '""') + '"'
