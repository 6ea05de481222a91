"""What the role is told: a cluster, its settings, and what is in it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from roles.postgres.access import Database, DatabaseRole, Grant, HbaEntry
from roles.postgres.names import DatabaseName, Encoding, HostPath, Line, Locale, Name, Port, SettingName, one_line
from slipway.ops.postgres.settings import Value
from slipway.role import RoleData

OWN_SETTINGS = {
    "port": "port",
    "listen_addresses": "listen",
    "max_connections": "max_connections",
    "password_encryption": "",
    "ssl_cert_file": "tls_certificate",
    "ssl_key_file": "tls_key",
    "data_directory": "data_directory",
    "config_file": "",
    "hba_file": "",
    "ident_file": "",
    "external_pid_file": "",
    "unix_socket_directories": "",
    "include": "",
    "include_dir": "",
    "include_if_exists": "",
}
"""Settings that `settings` may not hold, and the field that does, where there is one."""


Url = Annotated[str, Field(pattern=r"^https?://[A-Za-z0-9.:_/\[\]-]+$")]
Listen = Annotated[str, Field(pattern=r"^(\*|[A-Za-z0-9.:-]+)$")]
"""An address, or a name such as localhost; the star is refused with a reason of its own."""
PackagePattern = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9+.-]|\{version\})*$")]


class Application(RoleData):
    """What the Compose file asks for. Derived; group_data adds to it in the fields of the role itself."""

    version_at_least: int | None = None
    """Major version of the file's image: what it was written for."""
    roles: list[DatabaseRole] = []
    """Its roles."""
    databases: list[Database] = []
    """Its databases."""
    grants: list[Grant] = []
    """What its roles hold."""
    hba: list[HbaEntry] = []
    """One line for each database, role and host that runs the application."""
    settings: dict[SettingName, Line] = {}
    """Settings of the server's command line."""
    ledger: list[DatabaseName] = []
    """Databases that keep the ledger of migrations."""


class Postgres(RoleData):
    """PostgreSQL on one host: a cluster, its configuration, and the roles, databases and grants in it."""

    version: Annotated[int, Field(ge=13, le=99)] | None = None
    """Major version; None takes the distribution's (Debian 12: 15, Debian 13: 17)."""
    repository: Literal["distribution", "pgdg"] = "distribution"
    """Where packages come from; pgdg is the PostgreSQL project's own repository, which has every version."""
    repository_url: Url = "https://apt.postgresql.org/pub/repos/apt"
    """Address of the pgdg repository, or of a mirror of it. Its use was proved as far as the file that names it."""
    repository_key: HostPath = "/usr/share/postgresql-common/pgdg/apt.postgresql.org.asc"
    """Key that signs it, as a path on the host; the default is the one that Debian's own package brings."""
    cluster: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")] = "main"
    """Name of the cluster."""
    data_directory: HostPath | None = None
    """Where the data lies; None takes /var/lib/postgresql/VERSION/CLUSTER. Decided when the cluster is created."""
    locale: Locale = "C.UTF-8"
    """Locale of a new cluster; one other than C.UTF-8 brings the package locales-all."""
    encoding: Encoding = "UTF8"
    """Character set of a new cluster."""
    data_checksums: bool = True
    """Whether a new cluster has checksums on its pages."""
    enable_data_checksums: bool = False
    """Consent to stop an existing cluster that has none and compute them: it stands still for minutes per 100 GB."""
    port: Port = 5432
    """TCP port."""
    listen: list[Listen] | None = None
    """Addresses to listen on; None takes the host's private address and localhost."""
    max_connections: Annotated[int, Field(ge=10, le=10_000)] | None = None
    """Connections at once; None follows from the memory: one for each 20 MiB, 20 to 200."""
    memory_percent: Annotated[int, Field(ge=5, le=100)] = 100
    """Share of the host's memory that the sizes are made for; less where something else lives on the host."""
    storage: Literal["ssd", "hdd"] = "ssd"
    """What the data lies on; decides what a random read costs in plans."""
    settings: dict[SettingName, Value] = {}
    """Settings that differ from what the role would choose, by their own names."""
    statement_timeout_seconds: Annotated[int, Field(ge=0)] = 0
    """After which a statement is cancelled, unless its role or session says otherwise; 0 is never."""
    idle_in_transaction_seconds: Annotated[int, Field(ge=0)] = 600
    """After which a session that left a transaction open is ended; 0 is never."""
    log_slower_than_ms: Annotated[int, Field(ge=-1)] = 1000
    """Statements that take longer are logged with their text; -1 logs none."""
    tls_certificate: HostPath | None = None
    """Path of the certificate on the host; None takes the self-signed one of Debian."""
    tls_key: HostPath | None = None
    """Path of its key, readable by the group ssl-cert."""
    require_tls: bool = False
    """Whether the application's hosts may connect with TLS only."""
    hba: list[HbaEntry] = []
    """Lines of pg_hba.conf besides the socket, localhost and the application's hosts."""
    roles: list[DatabaseRole] = []
    """Roles besides the application's; one of the same name takes its place."""
    databases: list[Database] = []
    """Databases besides the application's; one of the same name takes its place."""
    grants: list[Grant] = []
    """Privileges besides the application's."""
    extension_packages: dict[Name, PackagePattern] = {}
    """Extension to package, for extensions that the role does not know; {version} stands for the major version."""
    preload_libraries: list[Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+$")]] = []
    """Libraries loaded at start, as pg_stat_statements (shared_preload_libraries)."""
    application: Application = Application()
    """What the Compose file asks for. Derived."""

    @field_validator("settings")
    @classmethod
    def _none_of_its_own(cls, settings: dict[str, Value]) -> dict[str, Value]:
        for name in settings:
            if name in OWN_SETTINGS:
                field = OWN_SETTINGS[name]
                raise ValueError(f"{name} is the role's to decide" + (f"; use the field {field}" if field else ""))
        return settings

    @field_validator("settings")
    @classmethod
    def _each_in_one_line(cls, settings: dict[str, Value]) -> dict[str, Value]:
        for value in settings.values():
            if isinstance(value, str):
                one_line(value)
        return settings

    @field_validator("listen")
    @classmethod
    def _listens_somewhere(cls, listen: list[str] | None) -> list[str] | None:
        if listen is not None and ("*" in listen or "0.0.0.0" in listen or "::" in listen):  # noqa: S104
            raise ValueError("PostgreSQL on every address of a host is on the internet one day; name the addresses")
        return listen

    @model_validator(mode="after")
    def _names_once(self) -> Postgres:
        for field in ("roles", "databases"):
            names = [each.name for each in getattr(self, field)]
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"{field}: {twice[0]!r} is there twice; make one of them")
        return self

    @model_validator(mode="after")
    def _certificate_with_key(self) -> Postgres:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key go together; give both or none")
        return self

    @model_validator(mode="after")
    def _owners_exist(self) -> Postgres:
        known = {each.name for each in self.all_roles if each.state == "present"} | {"postgres"}
        for database in self.all_databases:
            if database.owner not in known:
                raise ValueError(f"database {database.name!r} is owned by {database.owner!r}; add that to roles")
        return self

    @model_validator(mode="after")
    def _grants_meet_their_ends(self) -> Postgres:
        roles = {each.name for each in self.all_roles if each.state == "present"} | {"postgres"}
        databases = {each.name for each in self.all_databases} | {"postgres"}
        for grant in self.all_grants:
            if grant.role not in roles:
                raise ValueError(f"a grant names the role {grant.role!r}; add that to roles")
            if grant.database not in databases:
                raise ValueError(f"a grant names the database {grant.database!r}; add that to databases")
        return self

    @property
    def all_roles(self) -> list[DatabaseRole]:
        """The application's and others; groups first, because members are put into them."""
        named = {each.name: each for each in (*self.application.roles, *self.roles)}
        return sorted(named.values(), key=lambda each: each.login)

    @property
    def all_databases(self) -> list[Database]:
        """The application's and others."""
        return list({each.name: each for each in (*self.application.databases, *self.databases)}.values())

    @property
    def all_grants(self) -> list[Grant]:
        """The application's and others."""
        return [*self.application.grants, *self.grants]
