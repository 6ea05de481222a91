"""Whether a database takes writes, and which sessions hold locks in it: asked before and after a migration."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from pyinfra.api import FactBase, StringCommand

from slipway.facts.files import script

# Only what holds a lock on a table of somebody's own: system catalogues are locked by every session for a moment.
_OPEN = """\
SELECT coalesce(json_agg(row_to_json(found)), '[]') FROM (
  SELECT a.pid, a.usename AS who, coalesce(host(a.client_addr), 'socket') AS whence, a.state,
         extract(epoch FROM clock_timestamp() - a.xact_start)::int AS seconds, left(a.query, 300) AS query,
         array_to_string(array_agg(DISTINCT l.relation::regclass::text), ', ') AS tables
    FROM pg_stat_activity a JOIN pg_locks l ON l.pid = a.pid AND l.locktype = 'relation' AND l.granted
   WHERE a.datname = current_database() AND a.pid <> pg_backend_pid() AND l.database = (
         SELECT oid FROM pg_database WHERE datname = current_database()) AND l.relation >= 16384
   GROUP BY a.pid, a.usename, a.client_addr, a.state, a.xact_start, a.query ORDER BY a.xact_start LIMIT 5) found
"""
_WRITES = """\
SELECT to_json(CASE WHEN pg_is_in_recovery() THEN 'standby' ELSE current_setting('transaction_read_only') END)
"""
_ASK = """\
set -u; cd /
command -v psql >/dev/null || { echo '"absent"'; exit 0; }
printf '%s' "$3" | timeout 20 runuser -u postgres -- env PGCONNECT_TIMEOUT=10 "PGDATABASE=$1" \\
  psql -XAtqw -v ON_ERROR_STOP=1 -p "$2"
"""


@dataclass(frozen=True)
class Session:
    """One that holds locks on tables."""

    pid: int
    who: str
    whence: str
    """Address of its client."""
    state: str
    seconds: int
    """How long its transaction has been open."""
    query: str
    """Its newest statement, the first 300 characters."""
    tables: str

    def __str__(self) -> str:
        open_for = f"{self.state}, transaction open for {self.seconds} s"
        return f"pid {self.pid} ({self.who} from {self.whence}, {open_for}) holds {self.tables}: {self.query}"


class OpenSessionsFact(FactBase[tuple[Session, ...]]):
    """Sessions that hold locks on tables of a database, the longest first, at most five."""

    def command(self, database: str, port: int) -> StringCommand:
        return script(_ASK, database, str(port), _OPEN)

    @staticmethod
    def default() -> tuple[Session, ...]:
        return ()

    def process(self, output: list[str]) -> tuple[Session, ...]:
        said: Any = json.loads("\n".join(output))
        return tuple(Session(**each) for each in said) if isinstance(said, list) else ()


class TakesWritesFact(FactBase[str]):
    """Why a database takes no writes: `standby`, `on` (read-only by its settings); `off` where it takes them."""

    def command(self, database: str, port: int) -> StringCommand:
        return script(_ASK, database, str(port), _WRITES)

    @staticmethod
    def default() -> str:
        return "off"

    def process(self, output: list[str]) -> str:
        return str(json.loads("\n".join(output)))
