"""PostgreSQL: clusters, configuration in force, roles, databases, extensions and grants.

Each operation compares with what the server itself says, so that what somebody changed by hand is seen and mended.
"""

from slipway.facts.postgres import Cluster
from slipway.ops.postgres.cluster import boot_file, checksums, cluster, nothing_left_behind
from slipway.ops.postgres.databases import database, extension, schema
from slipway.ops.postgres.grants import PRIVILEGES, grant
from slipway.ops.postgres.roles import no_role, role
from slipway.ops.postgres.server import conf_check, overrides, reloaded, restarted, started

__all__ = [
    "PRIVILEGES",
    "Cluster",
    "boot_file",
    "checksums",
    "cluster",
    "conf_check",
    "database",
    "extension",
    "grant",
    "no_role",
    "nothing_left_behind",
    "overrides",
    "reloaded",
    "restarted",
    "role",
    "schema",
    "started",
]
