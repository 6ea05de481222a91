"""PostgreSQL the Debian way: one cluster with checksums, sized to its host, reachable only by who needs it."""

from roles.postgres.data import Postgres
from roles.postgres.derive import derive
from roles.postgres.tasks import tasks
from slipway.role import Role

role = Role("postgres", data=Postgres, tasks=tasks, derive=derive)

__all__ = ["Postgres", "role"]
