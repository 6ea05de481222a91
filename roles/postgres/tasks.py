"""Brings a host to its cluster: packages, cluster, configuration, then what is in it."""

from __future__ import annotations

import hashlib

from roles.postgres import configuration, versions
from roles.postgres.access import Database, DatabaseRole, Grant
from roles.postgres.data import Postgres
from roles.postgres.derive import password_of
from roles.postgres.logins import roles_of
from slipway.context import Context
from slipway.ops import files, ledger, packages, postgres, units
from slipway.ops.postgres import Cluster
from slipway.render import render

ATTRIBUTES = ("login", "superuser", "createdb", "createrole", "inherit", "replication", "bypassrls")
DROP_IN = "/etc/systemd/system/postgresql@.service.d"
SOURCE = "/etc/apt/sources.list.d/pgdg.sources"


def tasks(data: Postgres, ctx: Context) -> None:
    """One cluster, running, with its roles, databases and grants. Restarts only for what only a restart changes."""
    cluster = cluster_of(data, ctx)
    _install(data, ctx, cluster)
    _configure(data, ctx, cluster)
    _fill(data, ctx, cluster)


def cluster_of(data: Postgres, ctx: Context) -> Cluster:
    """The cluster that this host has. Raises BadInput where its distribution lacks the version."""
    version = versions.version_of(data, ctx.machine)
    return Cluster(version, data.cluster, data.data_directory or f"/var/lib/postgresql/{version}/{data.cluster}")


def _install(data: Postgres, ctx: Context, cluster: Cluster) -> None:
    wanted = versions.packages(data, ctx, cluster.version)
    postgres.nothing_left_behind(name="Refuse an empty cluster beside the data", cluster=cluster)
    # Before the package: its installation would otherwise create a cluster of its own, without checksums.
    files.directory(name="Create createcluster.d", path="/etc/postgresql-common/createcluster.d")
    files.put(
        name="Write createcluster.d",
        path="/etc/postgresql-common/createcluster.d/slipway.conf",
        content=render("postgres/createcluster.conf.j2"),
    )
    if data.repository == "pgdg":
        _add_repository(data, ctx)
    # A repository that was only just added is in no list yet.
    hours = 0 if data.repository == "pgdg" else packages.LISTS_HOURS
    packages.installed(name="Install PostgreSQL", names=wanted, lists_hours=hours)
    postgres.cluster(
        name="Create the cluster",
        cluster=cluster,
        port=data.port,
        locale=data.locale,
        encoding=data.encoding,
        checksums=data.data_checksums,
    )


def _add_repository(data: Postgres, ctx: Context) -> None:
    packages.installed(name="Install the repository's key", names=["postgresql-common", "ca-certificates"])
    files.put(name="Write pgdg.sources", path=SOURCE, content=source_file(data, ctx))


def source_file(data: Postgres, ctx: Context) -> str:
    """The repository of the PostgreSQL project, for the host's release."""
    suite = f"{ctx.machine.codename}-pgdg"
    return render("postgres/pgdg.sources.j2", url=data.repository_url, suite=suite, key=data.repository_key)


def _configure(data: Postgres, ctx: Context, cluster: Cluster) -> None:
    settings, conf = configuration.settings(data, ctx), f"{cluster.config}/conf.d/90-slipway.conf"
    content = {
        conf: configuration.settings_file(data, ctx),
        f"{cluster.config}/pg_hba.conf": configuration.hba_file(data, ctx),
    }
    digests = {path: hashlib.sha256(text.encode()).hexdigest() for path, text in content.items()}
    _write(content, conf, cluster)
    postgres.started(name="Start PostgreSQL", cluster=cluster)
    # Debian's clusters start with this one: disabled, none of them would after a reboot.
    units.unit(name="Start PostgreSQL at boot", unit="postgresql.service")
    if data.enable_data_checksums:
        postgres.checksums(name="Enable data checksums", cluster=cluster)
    postgres.overrides(name="Undo settings altered by hand", cluster=cluster, names=sorted(settings))
    postgres.reloaded(name="Reload PostgreSQL", cluster=cluster, wanted=digests)
    postgres.restarted(name="Restart PostgreSQL", cluster=cluster, conf=conf, digest=digests[conf], settings=settings)


def _write(content: dict[str, str], conf: str, cluster: Cluster) -> None:
    postgres.boot_file(
        name="Write start.conf",
        path=f"{cluster.config}/start.conf",
        content=render("postgres/start.conf.j2"),
        owner="postgres",
        group="postgres",
    )
    files.directory(name="Create the unit's drop-in directory", path=DROP_IN)
    postgres.boot_file(
        name="Write the unit's drop-in",
        path=f"{DROP_IN}/slipway.conf",
        content=render("postgres/postgresql@.service.conf.j2"),
    )
    files.put(
        name="Write the settings",
        path=conf,
        content=content[conf],
        owner="postgres",
        group="postgres",
        check=postgres.conf_check(cluster),
    )
    hba = f"{cluster.config}/pg_hba.conf"
    files.put(name="Write pg_hba.conf", path=hba, content=content[hba], mode="640", owner="postgres", group="postgres")


def _fill(data: Postgres, ctx: Context, cluster: Cluster) -> None:
    for role in roles_of(data, ctx):
        if role.state == "present":
            _role(role, ctx, cluster)
    for database in data.all_databases:
        _database(database, data, cluster)
    for grant in data.all_grants:
        _grant(grant, cluster)
    for name in data.application.ledger:
        ledger.table(name="Create the ledger of migrations", cluster=cluster, database=name)
    for role in data.all_roles:
        if role.state == "absent":
            postgres.no_role(name="Drop a role", cluster=cluster, role=role.name)


def _role(role: DatabaseRole, ctx: Context, cluster: Cluster) -> None:
    postgres.role(
        name="Set up a role",
        cluster=cluster,
        role=role.name,
        password=password_of(role.password, ctx) if role.password else None,
        attributes={name: getattr(role, name) for name in ATTRIBUTES},
        connection_limit=role.connection_limit,
        member_of=role.member_of,
        settings=role.settings,
    )


def _database(database: Database, data: Postgres, cluster: Cluster) -> None:
    postgres.database(
        name="Set up a database",
        cluster=cluster,
        database=database.name,
        owner=database.owner,
        encoding=database.encoding,
        collate=database.lc_collate or "",
        ctype=database.lc_ctype or "",
        template=database.template,
        connection_limit=database.connection_limit,
        public_may_connect=database.public_may_connect,
        settings=database.settings,
    )
    for schema in database.schemas:
        postgres.schema(
            name="Set up a schema",
            cluster=cluster,
            database=database.name,
            schema=schema.name,
            owner=schema.owner or "",
        )
    for extension in database.wanted_extensions:
        package = versions.extension_package(data, extension.name, cluster.version)
        postgres.extension(
            name="Create an extension",
            cluster=cluster,
            database=database.name,
            extension=extension.name,
            schema=extension.in_schema or "",
            packages=[package] if package else [],
        )


def _grant(grant: Grant, cluster: Cluster) -> None:
    postgres.grant(
        name="Grant privileges",
        cluster=cluster,
        database=grant.database,
        role=grant.role,
        on=grant.on,
        privileges=grant.privileges,
        schema=grant.in_schema,
        objects=grant.objects,
        future_from=grant.future_from or "",
    )
