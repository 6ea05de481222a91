"""Migrations: run once for each release, in a container of the image that they came with."""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pyinfra import host
from pyinfra.api import StringCommand, operation
from pyinfra.api.exceptions import OperationError

from slipway.container import ContainerSpec
from slipway.facts.database import OpenSessionsFact, TakesWritesFact
from slipway.facts.files import script
from slipway.facts.migrations import LEDGER, FileLedgerEntry
from slipway.facts.postgres import LedgerEntry
from slipway.ops.ledger import record_script
from slipway.remote import Remote, RemoteFailed
from slipway.report import note_change
from slipway.seam.errors import FactFailed
from slipway.seam.hosts import forget_answers

if TYPE_CHECKING:
    from pyinfra.api.host import Host

    from slipway.compose import Stack
    from slipway.fleet import Fleet

GAVE_UP = "lock timeout"
"""What Postgres says of a statement that waited for a lock as long as `lock_timeout` lets it."""
LOCK_TRIES, LOCK_PAUSE = 3, 5
"""A migration that gave up so is tried this often, with seconds between: most transactions end within them, and
readers that queue behind it are through meanwhile."""
STOP_SECONDS = 10
"""Grace of a migration that has run out of time: its database rolls back what is open."""

_RUN = r"""
set -u
name=$1 seconds=$2; shift 2
cleanup() { docker stop -t 10 "$name" >/dev/null 2>&1; docker rm --force "$name" >/dev/null 2>&1; }
# An earlier run that died left one: it finishes what it is doing, then this one looks at what is left to do.
if [ "$(docker container inspect --format '{{.State.Running}}' "$name" 2>/dev/null)" = true ]; then
  timeout "$seconds" docker wait "$name" >/dev/null
fi
cleanup
trap 'cleanup' EXIT
trap 'exit 129' HUP INT TERM
docker create "$@" >/dev/null || exit 1
docker start "$name" >/dev/null || exit 1
if ! code=$(timeout "$seconds" docker wait "$name"); then
  docker logs --tail 30 "$name" >&2
  echo "not done after $seconds s, and stopped" >&2; exit 1
fi
if [ "$code" != 0 ]; then
  docker logs --tail 30 "$name" >&2
  oom=$(docker container inspect --format '{{.State.OOMKilled}}' "$name")
  [ "$oom" != true ] || echo "killed for memory" >&2
  echo "ended with exit code $code" >&2; exit 1
fi
docker logs --tail 30 "$name" 2>&1
"""

_RECORD_FILE = (
    'set -eu; mkdir -p -- "$1/$2"; printf "%s\\n" "$4" > "$1/$2/.$3.new"; mv -f -- "$1/$2/.$3.new" "$1/$2/$3"'
)


@dataclass(frozen=True)
class Database:
    """Where the ledger lies: beside the tables that the migrations change."""

    host: str
    """Name of the Postgres host."""
    name: str
    port: int


def ledger_of(stack: Stack, fleet: Fleet) -> Database | None:
    """Where the ledger of a stack's migrations lies; None for files on the host that runs them."""
    for native in stack.native.values():
        members = fleet.group(native.group)
        if native.kind == "postgres" and native.databases and members:
            return Database(members[0].name, native.databases[0].name, native.port or 5432)
    return None


@operation()
def done(
    spec: ContainerSpec, key: str, seconds: float, ledger: Database | None = None, check: Sequence[str] = ()
) -> Generator[StringCommand]:
    """The migration that `key` names, run unless the ledger says that it has been.

    `spec` is its container: the service's image, environment and secrets with the command of the migration. It gets
    `seconds` to end; what it printed last is in the error. A container of a run that died is waited for, not doubled.
    Fails before it begins where the database takes no writes. One that gave up waiting for a lock is tried again; then
    the error names who holds locks.

    + ledger: the application's Postgres; None keeps the ledger in files on this host
    + check: a command that says by exit code 0 that nothing is left to do, run afterwards
    """
    if _finished(spec.stack, key, ledger):
        return
    note_change(f"schema of {spec.stack}", f"migrate: {' '.join(spec.argv or ())}")
    database = host.inventory.get_host(ledger.host) if ledger else None
    if database is not None and not database.connected:
        what = f"the ledger of migrations is on {database.name}, which is not in this run"
        raise OperationError(f"{what}\n  HINT: run it without --limit, or with {database.name} in it")
    yield script("exec true")  # what follows is done at execution only
    _refuse_read_only(ledger, database)
    _run(spec, f"{spec.stack}-migrate", seconds, ledger, database)
    if check:
        _run(_with_command(spec, tuple(check)), f"{spec.stack}-migrate-check", seconds, ledger, database)
    if ledger is None or database is None:
        yield script(_RECORD_FILE, LEDGER, spec.stack, key, spec.release)
        return
    try:
        Remote(database).run(record_script(ledger.name, ledger.port, key, spec.release, host.name))
    except RemoteFailed as error:
        raise OperationError(f"the migration is done, but could not be recorded on {error}") from error


def _refuse_read_only(ledger: Database | None, database: Host | None) -> None:
    """Raises OperationError where the database takes no writes: a migration would fail half way, or wait for ever."""
    if ledger is None or database is None:
        return
    why = database.get_fact(TakesWritesFact, database=ledger.name, port=ledger.port)
    if why in ("standby", "on"):
        told = "it is a standby" if why == "standby" else "its settings say so"
        what = f"{ledger.name} on {database.name} is read-only ({told}): nothing was migrated"
        raise OperationError(f"{what}\n  HINT: let the primary be the first of its group, then run this again")


def _run(spec: ContainerSpec, name: str, seconds: float, ledger: Database | None, database: Host | None) -> None:
    """One container to its end; again where it gave up waiting for a lock. Raises OperationError with its last words,
    and with whoever holds locks on the tables."""
    # Twice: a container of a run that died may have to be waited for first.
    command, limit = _job(spec, name, seconds), 2 * math.ceil(seconds) + 6 * STOP_SECONDS
    for left in reversed(range(LOCK_TRIES)):
        try:
            Remote(host).run(command, timeout=limit)
            return
        except RemoteFailed as error:
            told = "\n".join(error.output)
            if GAVE_UP not in told or not left:
                raise OperationError("\n".join([told, *_holders(ledger, database)])) from None
            time.sleep(LOCK_PAUSE)


def _holders(ledger: Database | None, database: Host | None) -> list[str]:
    """Who holds locks on the tables now, a line for each; nothing where that cannot be told."""
    if ledger is None or database is None:
        return []
    forget_answers([database])
    try:
        found = database.get_fact(OpenSessionsFact, database=ledger.name, port=ledger.port)
    except FactFailed:
        return []  # the migration's own error is what counts
    if not found:
        return []
    hint = f"end what blocks, as by SELECT pg_terminate_backend({found[0].pid}) in {ledger.name}, and run this again"
    return ["  open transactions that hold locks:", *(f"  {session}" for session in found), f"  HINT: {hint}"]


def _finished(stack: str, key: str, ledger: Database | None) -> bool:
    if ledger is None:
        return host.get_fact(FileLedgerEntry, stack=stack, key=key) is not None
    other = host.inventory.get_host(ledger.host)
    if not other.connected:
        return False
    return other.get_fact(LedgerEntry, database=ledger.name, port=ledger.port, key=key) is not None


def _job(spec: ContainerSpec, name: str, seconds: float) -> StringCommand:
    return script(_RUN, name, str(math.ceil(seconds)), *spec.job_words(name))


def _with_command(spec: ContainerSpec, argv: tuple[str, ...]) -> ContainerSpec:
    return replace(spec, argv=argv)
