"""What the scheduler writes down, and what can be read from it: ticks, and who held the post when.

Nothing here prevents two schedulers. The lease log is how it would be seen that there were two.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from .config import Settings
from .jobs import add_to

OVERLAPS = """
SELECT a.id AS first, b.id AS second
FROM scheduler_leases a JOIN scheduler_leases b ON a.id < b.id
WHERE b.started_at < coalesce(a.ended_at, a.last_seen) AND a.started_at < coalesce(b.ended_at, b.last_seen)
ORDER BY a.id, b.id
"""


async def begin_lease(engine: AsyncEngine, settings: Settings) -> int:
    """Writes down that this scheduler has started; the number of its lease."""
    statement = text(
        "INSERT INTO scheduler_leases (holder, host, release) VALUES (:replica, :host, :release) RETURNING id"
    )
    values = {"replica": settings.replica, "host": settings.host, "release": settings.release}
    async with engine.begin() as connection:
        return await connection.scalar(statement, values)


async def renew_lease(engine: AsyncEngine, lease: int, ended: bool = False) -> None:
    """Writes down that this scheduler is still there, or that it has ended; by the clock of the database."""
    end = ", ended_at = clock_timestamp()" if ended else ""
    async with engine.begin() as connection:
        statement = text(f"UPDATE scheduler_leases SET last_seen = clock_timestamp(){end} WHERE id = :id")
        await connection.execute(statement, {"id": lease})


async def tick(engine: AsyncEngine, lease: int) -> tuple[int, UUID]:
    """Records a tick and its job together; the tick's number and the job to queue."""
    async with engine.begin() as connection:
        number = await connection.scalar(
            text("INSERT INTO ticks (lease) VALUES (:lease) RETURNING id"), {"lease": lease}
        )
        job_id = await add_to(connection, "tick", {"tick": number})
        await connection.execute(text("UPDATE ticks SET job = :job WHERE id = :id"), {"job": job_id, "id": number})
    return number, job_id


async def forget_old(engine: AsyncEngine) -> None:
    """Ticks and their jobs are kept for a day."""
    async with engine.begin() as connection:
        await connection.execute(text("DELETE FROM ticks WHERE at < now() - interval '1 day'"))
        old = "DELETE FROM jobs WHERE kind = 'tick' AND created_at < now() - interval '1 day'"
        await connection.execute(text(old))


async def story(engine: AsyncEngine, limit: int = 10) -> dict[str, Any]:
    """The last ticks, the last leases, and every pair of leases that overlapped."""
    ticks = (
        "SELECT t.id, t.at, l.holder, l.host, l.release FROM ticks t JOIN scheduler_leases l ON l.id = t.lease"
        " ORDER BY t.id DESC LIMIT :limit"
    )
    leases = (
        "SELECT id, holder, host, release, started_at, last_seen, ended_at FROM scheduler_leases"
        " ORDER BY id DESC LIMIT :limit"
    )
    async with engine.connect() as connection:
        found = {
            "ticks": (await connection.execute(text(ticks), {"limit": limit})).mappings().all(),
            "leases": (await connection.execute(text(leases), {"limit": limit})).mappings().all(),
            "overlaps": (await connection.execute(text(OVERLAPS))).mappings().all(),
        }
    return {name: [_plain(row) for row in rows] for name, rows in found.items()}


def _plain(row: Any) -> dict[str, Any]:
    return {key: value.isoformat() if hasattr(value, "isoformat") else value for key, value in row.items()}
