"""Postgres: the connection pool, and how the schema stands to what this code was written for."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from sqlalchemy import URL, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from .config import Settings

CONNECT_SECONDS = 3
"""A database that does not answer in this time is said to be away: /ready must answer before its caller gives up."""


def database_url(settings: Settings) -> URL:
    """Where the database is, with the password: never to be logged (SQLAlchemy prints it as ***)."""
    return URL.create(
        "postgresql+psycopg",
        username=settings.db_user,
        password=settings.db_password,
        host=settings.db_host,
        port=settings.db_port,
        database=settings.db_name,
    )


def connect(settings: Settings) -> AsyncEngine:
    """A pool that opens connections when they are needed and replaces those that a restart of Postgres has closed."""
    return create_async_engine(
        database_url(settings),
        pool_size=4,
        max_overflow=4,
        pool_timeout=CONNECT_SECONDS,
        pool_pre_ping=True,
        connect_args={
            "connect_timeout": CONNECT_SECONDS,
            "client_encoding": "utf8",  # whatever the cluster was made with
            "application_name": f"demo-{settings.service}@{settings.host}"[:63],
            "options": "-c statement_timeout=10s -c lock_timeout=5s",
        },
    )


@dataclass(frozen=True)
class Schema:
    """The revision a database is at, and what this release knows of it."""

    revision: str | None
    head: str
    known: Collection[str]

    @property
    def is_usable(self) -> bool:
        """At head, or moved past it by a newer release, whose migrations keep the previous release working."""
        return self.revision == self.head or (self.revision is not None and self.revision not in self.known)

    @property
    def complaint(self) -> str:
        """What to say where it is not usable."""
        return f"schema is at {self.revision or 'nothing'}, this release needs {self.head}: run its migrations"


@cache
def known_revisions() -> tuple[str, tuple[str, ...]]:
    """The head and all revisions of the migrations that came with this code."""
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory.from_config(Config(Path(__file__).parents[1] / "alembic.ini"))
    head = scripts.get_current_head()
    if head is None:
        raise RuntimeError("no migrations came with this code")
    return head, tuple(script.revision for script in scripts.walk_revisions())


async def read_schema(engine: AsyncEngine) -> Schema:
    """The schema's standing. Raises SQLAlchemyError where the database is away."""
    async with engine.connect() as connection:
        exists = await connection.scalar(text("SELECT to_regclass('alembic_version') IS NOT NULL"))
        revision = await connection.scalar(text("SELECT version_num FROM alembic_version")) if exists else None
    return Schema(revision, *known_revisions())
