"""Jobs in Postgres: the record of what was asked, who did it, and how it ended."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

COLUMNS = (
    "id, kind, payload, state, result, error, worker, host, release, attempts, created_at, started_at, finished_at"
)
ATTEMPTS = 3
"""A job that its workers died of this many times is given up, so that it cannot take down the next one."""


@dataclass(frozen=True)
class Started:
    """A job that this worker may run now."""

    id: UUID
    kind: str
    payload: dict[str, Any]
    attempt: int


def as_json(row: RowMapping) -> dict[str, Any]:
    """A job as the API tells it."""
    times = ("created_at", "started_at", "finished_at")
    shown = dict(row) | {name: row[name].isoformat() if row[name] else None for name in times}
    return shown | {"id": str(row["id"])}


async def add_to(connection: AsyncConnection, kind: str, payload: dict[str, Any]) -> UUID:
    """Records a job within the caller's transaction; it is not queued yet."""
    job_id = uuid4()
    statement = text("INSERT INTO jobs (id, kind, payload) VALUES (:id, :kind, CAST(:payload AS jsonb))")
    await connection.execute(statement, {"id": job_id, "kind": kind, "payload": json.dumps(payload)})
    return job_id


class Jobs:
    """The jobs table. Every change of state is one statement that says which state it expects."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def add(self, kind: str, payload: dict[str, Any]) -> UUID:
        async with self._engine.begin() as connection:
            return await add_to(connection, kind, payload)

    async def get(self, job_id: UUID) -> dict[str, Any] | None:
        async with self._engine.connect() as connection:
            found = await connection.execute(text(f"SELECT {COLUMNS} FROM jobs WHERE id = :id"), {"id": job_id})
            row = found.mappings().first()
        return as_json(row) if row else None

    async def recent(self, limit: int, ticks: bool = False) -> list[dict[str, Any]]:
        """The newest first; those of the scheduler only where asked for."""
        statement = text(
            f"SELECT {COLUMNS} FROM jobs WHERE :ticks OR kind <> 'tick' ORDER BY created_at DESC LIMIT :limit"
        )
        async with self._engine.connect() as connection:
            found = await connection.execute(statement, {"limit": limit, "ticks": ticks})
            return [as_json(row) for row in found.mappings()]

    async def counts(self) -> dict[str, int]:
        """How many jobs are in each state."""
        async with self._engine.connect() as connection:
            rows = await connection.execute(text("SELECT state, count(*) FROM jobs GROUP BY state"))
            return dict(rows.tuples().all())

    async def start(self, job_id: UUID, worker: str, host: str, release: str) -> Started | None:
        """Takes the job for this worker; None where it is over already or there is no such job."""
        statement = text(
            "UPDATE jobs SET state = 'running', worker = :worker, host = :host, release = :release,"
            " attempts = attempts + 1, started_at = clock_timestamp()"
            " WHERE id = :id AND state IN ('queued', 'running') RETURNING id, kind, payload, attempts"
        )
        values = {"id": job_id, "worker": worker, "host": host, "release": release}
        async with self._engine.begin() as connection:
            row = (await connection.execute(statement, values)).first()
        return Started(*row) if row else None

    async def finish(self, job: Started, result: dict[str, Any] | None, error: str | None) -> bool:
        """Writes how it ended; false where another worker has taken the job over meanwhile."""
        statement = text(
            "UPDATE jobs SET state = :state, result = CAST(:result AS jsonb), error = :error,"
            " finished_at = clock_timestamp() WHERE id = :id AND state = 'running' AND attempts = :attempt"
        )
        values = {
            "id": job.id,
            "attempt": job.attempt,
            "state": "failed" if error else "done",
            "result": None if result is None else json.dumps(result),
            "error": error,
        }
        async with self._engine.begin() as connection:
            return (await connection.execute(statement, values)).rowcount == 1

    async def unfinished(self, older_than_seconds: int) -> list[UUID]:
        """Jobs recorded that long ago and not over: to be queued again where the queue has lost them."""
        statement = text(
            "SELECT id FROM jobs WHERE state IN ('queued', 'running')"
            " AND created_at < clock_timestamp() - make_interval(secs => :age) ORDER BY created_at LIMIT 100"
        )
        async with self._engine.connect() as connection:
            return list((await connection.scalars(statement, {"age": older_than_seconds})).all())
