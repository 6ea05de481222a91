"""PostgreSQL the Debian way: one cluster with checksums, sized to its host, reachable only by who needs it."""

from roles.postgres.data import Postgres
from roles.postgres.derive import derive
from roles.postgres.needs import needs
from roles.postgres.passwords import passwords
from roles.postgres.tasks import cluster_of, tasks
from slipway.context import Context
from slipway.role import Role


def _units(data: Postgres, ctx: Context) -> tuple[str, ...]:
    cluster = cluster_of(data, ctx)
    return (f"postgresql@{cluster.version}-{data.cluster}.service",)


role = Role(
    "postgres",
    data=Postgres,
    tasks=tasks,
    derive=derive,
    needs=needs,
    carries="postgres",
    units=_units,
    passwords=passwords,
)

__all__ = ["Postgres", "role"]
