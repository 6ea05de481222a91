"""Statements on their way to a server: by standard input, so that no argument list and no server log has them."""

from __future__ import annotations

from collections.abc import Sequence

from pyinfra.api import StringCommand

from slipway.facts.files import script, with_input
from slipway.facts.postgres import Answer, Cluster
from slipway.report import note_change

# Half a minute for a lock: whoever holds one on a catalogue longer is a person's business, and the run says so.
_RUN = """\
set -u; cd /
port=$(sed -n 4p "$3/postmaster.pid" 2>/dev/null)
case "$port" in ''|*[!0-9]*) echo "PostgreSQL $1/$2 is not running
  HINT: see why: journalctl -u postgresql@$1-$2; tail /var/log/postgresql/postgresql-$1-$2.log" >&2; exit 69 ;;
esac
if [ "$5" = yes ]; then one=-1; else one=; fi
exec timeout 300 runuser -u postgres -- env PGCONNECT_TIMEOUT=10 PGOPTIONS='-c lock_timeout=30s' "PGDATABASE=$4" \\
  "/usr/lib/postgresql/$1/bin/psql" -XAtqw $one -v ON_ERROR_STOP=1 -v VERBOSITY=terse -p "$port"
"""

# A verifier is no password, but who has it may try passwords against it: no log needs it.
UNLOGGED = (
    "SET log_statement = 'none'",
    "SET log_min_duration_statement = -1",
    "SET log_min_error_statement = 'panic'",
    "SET track_activities = off",
)
"""Statements before one that holds a verifier."""


def run(cluster: Cluster, database: str, statements: Sequence[str], together: bool = True) -> StringCommand:
    """Statements as superuser in one database; where they are `together`, all of them or none."""
    command = script(_RUN, *cluster.words, database, "yes" if together else "no")
    sql = "".join(f"{statement};\n" for statement in statements)
    return with_input(command, sql.encode())


def unknown(subject: str, cluster: Cluster) -> StringCommand:
    """For a server that is down: what differs is known once it runs. Fails where it still does not by then."""
    note_change(subject, "known once the server runs")
    return run(cluster, "postgres", ["SELECT 1"])


def refuse(what: str, hint: str) -> StringCommand:
    """Fails on the host with these words, before anything is touched."""
    return script('printf "%s\\n  HINT: %s\\n" "$1" "$2" >&2; exit 65', what, hint)


def settings_of(pairs: Sequence[str]) -> dict[str, str]:
    """`name=value` lines of `setconfig` by name."""
    return dict(pair.split("=", 1) for pair in pairs)


__all__ = ["UNLOGGED", "Answer", "refuse", "run", "settings_of", "unknown"]
