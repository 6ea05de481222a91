"""The ledger of migrations: which release finished which, kept in the database that they changed.

It lies beside what it tells of, so that a restored dump has the ledger that belongs to its schema.
"""

from __future__ import annotations

from collections.abc import Generator

from pyinfra import host
from pyinfra.api import StringCommand, operation

from slipway.facts.files import script
from slipway.facts.postgres import Cluster, LedgerTableFact
from slipway.ops.postgres.psql import run, unknown
from slipway.report import note_change

_TABLE = (
    "CREATE SCHEMA IF NOT EXISTS slipway",
    "CREATE TABLE IF NOT EXISTS slipway.migration (key text PRIMARY KEY, release text NOT NULL, "
    "started timestamptz NOT NULL DEFAULT now(), finished timestamptz, host text NOT NULL, commit text)",
    "COMMENT ON TABLE slipway.migration IS 'Migrations that Slipway ran: do not edit'",
)


@operation()
def table(cluster: Cluster, database: str) -> Generator[StringCommand]:
    """`slipway.migration` in the application's database, owned by the superuser: the application does not write it."""
    found = host.get_fact(LedgerTableFact, cluster=cluster, database=database)
    if found.is_down:
        yield unknown(f"ledger of {database}", cluster)
    elif not found.said:
        note_change(f"ledger of {database}", "new table slipway.migration")
        yield run(cluster, database, _TABLE)


_WRITE = """\
set -u; cd /
printf '%s' "$1" | timeout 60 runuser -u postgres -- env PGCONNECT_TIMEOUT=10 "PGDATABASE=$2" \\
  psql -XAtqw -v ON_ERROR_STOP=1 -v "key=$4" -v "release=$5" -v "host=$6" -v "commit=$7" -p "$3"
"""
_BEGIN = """\
INSERT INTO slipway.migration (key, release, host, commit)
VALUES (:'key', :'release', :'host', nullif(:'commit', ''))
ON CONFLICT (key) DO UPDATE SET release = excluded.release, host = excluded.host, commit = excluded.commit,
  started = now()
WHERE migration.finished IS NULL
"""
_RECORD = """\
INSERT INTO slipway.migration (key, release, host, commit, finished)
VALUES (:'key', :'release', :'host', nullif(:'commit', ''), now())
ON CONFLICT (key) DO UPDATE SET release = excluded.release, host = excluded.host, finished = now(),
  commit = coalesce(excluded.commit, migration.commit) WHERE migration.finished IS NULL
"""


def begin_script(database: str, port: int, key: str, release: str, host: str, commit: str = "") -> StringCommand:
    """For the Postgres host, before a migration: who runs it, and since when. Leaves a finished one as it is."""
    return script(_WRITE, _BEGIN, database, str(port), key, release, host, commit)


def record_script(database: str, port: int, key: str, release: str, host: str, commit: str = "") -> StringCommand:
    """For the Postgres host, after a migration: it is finished, by this release, started from this host."""
    return script(_WRITE, _RECORD, database, str(port), key, release, host, commit)
