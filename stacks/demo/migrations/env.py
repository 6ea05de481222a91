"""Runs the migrations on the database that the environment names, one migrator at a time.

Every wait is bounded: a migration that cannot have its lock gives up after 5 s and can be run again, instead of
queueing behind a long query with the whole application queueing behind it.
"""

from __future__ import annotations

import os
import time

from alembic import context
from demo.config import BadSettings, Settings
from demo.database import database_url
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import OperationalError

MIGRATOR = 0x51_1B_3A
"""Which advisory lock a migrator holds."""
WAIT_SECONDS = 60


def main() -> None:
    """Brings the schema to what was asked for. Ends with one line where the settings are wrong or another migrates."""
    try:
        settings = Settings.from_environment(os.environ, "migrate", {"database"})
    except BadSettings as error:
        raise SystemExit(f"cannot migrate:\n{error}") from None
    connect_args = {
        "connect_timeout": 10,
        "application_name": "demo-migrate",
        "client_encoding": "utf8",  # whatever the cluster was made with
        "options": "-c lock_timeout=5s -c statement_timeout=60s",
    }
    engine = create_engine(database_url(settings), connect_args=connect_args)
    try:
        with engine.connect() as connection:
            _migrate(connection)
    except OperationalError as error:
        reason = str(error.orig).strip() or type(error.orig).__name__
        raise SystemExit(f"cannot migrate: {reason}") from None


def _migrate(connection: Connection) -> None:
    _wait_for_turn(connection)
    context.configure(connection=connection, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()


def _wait_for_turn(connection: Connection) -> None:
    """Asks again and again rather than waiting in one statement: an open statement would block concurrent indexing."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": MIGRATOR}):
        connection.rollback()
        if time.monotonic() > deadline:
            raise SystemExit(f"cannot migrate: another migration has been running for {WAIT_SECONDS} s")
        time.sleep(0.5)  # as above; another migrator takes seconds
    connection.commit()


if context.is_offline_mode():
    raise SystemExit("these migrations are run on a database; --sql is not supported")
main()
