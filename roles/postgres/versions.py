"""Which version a host gets, from which packages; and what there is not, told with what to do."""

from __future__ import annotations

from roles.postgres.data import Postgres
from slipway.context import Context
from slipway.fleet import NOMINAL, Machine
from slipway.problems import BadInput, Problem

DISTRIBUTION = {
    ("debian", "12"): 15,
    ("debian", "13"): 17,
    ("ubuntu", "22.04"): 14,
    ("ubuntu", "24.04"): 16,
}
"""Major version that each distribution packages."""

PACKAGES = {
    "vector": "postgresql-{version}-pgvector",
    "postgis": "postgresql-{version}-postgis-3",
    "pg_cron": "postgresql-{version}-cron",
    "pg_partman": "postgresql-{version}-partman",
    "pg_repack": "postgresql-{version}-repack",
    "hypopg": "postgresql-{version}-hypopg",
    "rum": "postgresql-{version}-rum",
    "ip4r": "postgresql-{version}-ip4r",
    "hll": "postgresql-{version}-hll",
    "pgaudit": "postgresql-{version}-pgaudit",
}
"""Extension to package. What PostgreSQL itself brings (pg_trgm, uuid-ossp, pg_stat_statements, ...) needs none."""

LACKS = {("debian", "12"): {"vector"}, ("ubuntu", "22.04"): {"vector"}}
"""Extensions that a distribution does not package."""


def version_of(data: Postgres, machine: Machine) -> int:
    """The major version for this host. Raises BadInput where its distribution does not have what is asked for."""
    packaged = DISTRIBUTION.get((machine.distribution, machine.version))
    asked = data.version
    for_application = data.application.version_at_least if data.repository == "pgdg" else None
    chosen = asked or for_application or packaged
    if chosen is None:
        raise BadInput([_unknown(machine)])
    if machine is NOMINAL:
        return chosen
    least = data.application.version_at_least
    if least and chosen < least and asked is None:
        raise BadInput([_too_old(machine, chosen, least)])
    if data.repository == "distribution" and packaged and chosen != packaged:
        raise BadInput([_not_packaged(machine, chosen, packaged)])
    return chosen


def _unknown(machine: Machine) -> Problem:
    system = f"{machine.distribution} {machine.version}"
    return Problem("postgres.version", f"not known what {system} packages", "set postgres = {'version': ...}")


def _too_old(machine: Machine, chosen: int, least: int) -> Problem:
    return Problem(
        "postgres.version",
        f"the Compose file's image is PostgreSQL {least}, {machine.distribution} {machine.version} has {chosen}",
        f"use a host with a newer release, or repository: pgdg; if {chosen} will do, say so: version: {chosen}",
    )


def _not_packaged(machine: Machine, chosen: int, packaged: int) -> Problem:
    return Problem(
        "postgres.version",
        f"{machine.distribution} {machine.version} packages PostgreSQL {packaged}, not {chosen}",
        "leave version out, or set repository: pgdg",
    )


def extension_package(data: Postgres, extension: str, version: int) -> str | None:
    """The package that brings an extension; None for those of PostgreSQL itself."""
    pattern = data.extension_packages.get(extension) or PACKAGES.get(extension)
    return pattern.replace("{version}", str(version)) if pattern else None


def packages(data: Postgres, ctx: Context, version: int) -> list[str]:
    """Every package of the role. Raises BadInput for an extension that the host's distribution does not have."""
    wanted = {each.name for database in data.all_databases for each in database.wanted_extensions}
    _refuse_missing(data, ctx.machine, wanted)
    brought = {extension_package(data, extension, version) for extension in wanted | set(data.preload_libraries)}
    locales = [] if data.locale.partition(".")[0] in ("C", "POSIX") else ["locales-all"]
    # ssl-cert makes the certificate that the cluster's TLS starts with.
    return [f"postgresql-{version}", "ssl-cert", *locales, *sorted(each for each in brought if each)]


def _refuse_missing(data: Postgres, machine: Machine, wanted: set[str]) -> None:
    lacking = LACKS.get((machine.distribution, machine.version), set()) & wanted - set(data.extension_packages)
    if data.repository == "distribution" and lacking and machine is not NOMINAL:
        system = f"{machine.distribution} {machine.version}"
        raise BadInput(
            Problem(
                "postgres.databases.extensions",
                f"{system} does not package the extension {extension!r}",
                "use a host with Debian 13, or set repository: pgdg",
            )
            for extension in sorted(lacking)
        )
