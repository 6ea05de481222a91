"""Migrations: run once for each release, in a container of the image that they came with."""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace

from pyinfra import host
from pyinfra.api import StringCommand, operation
from pyinfra.api.exceptions import OperationError

from slipway.container import ContainerSpec
from slipway.facts.files import script
from slipway.facts.migrations import LEDGER, FileLedgerEntry
from slipway.facts.postgres import LedgerEntry
from slipway.ops.ledger import record_script
from slipway.remote import Remote, RemoteFailed
from slipway.report import note_change

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


@operation()
def done(
    spec: ContainerSpec, key: str, seconds: float, ledger: Database | None = None, check: Sequence[str] = ()
) -> Generator[StringCommand]:
    """The migration that `key` names, run unless the ledger says that it has been.

    `spec` is its container: the service's image, environment and secrets with the command of the migration. It gets
    `seconds` to end; what it printed last is in the error. A container of a run that died is waited for, not doubled.

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
    yield _job(spec, f"{spec.stack}-migrate", seconds)
    if check:
        yield _job(_with_command(spec, tuple(check)), f"{spec.stack}-migrate-check", seconds)
    if ledger is None or database is None:
        yield script(_RECORD_FILE, LEDGER, spec.stack, key, spec.release)
        return
    try:
        Remote(database).run(record_script(ledger.name, ledger.port, key, spec.release, host.name))
    except RemoteFailed as error:
        raise OperationError(f"the migration is done, but could not be recorded on {error}") from error


def _finished(stack: str, key: str, ledger: Database | None) -> bool:
    if ledger is None:
        return host.get_fact(FileLedgerEntry, stack=stack, key=key) is not None
    other = host.inventory.get_host(ledger.host)
    if not other.connected:
        return False
    return other.get_fact(LedgerEntry, database=ledger.name, port=ledger.port, key=key) is not None


def _job(spec: ContainerSpec, name: str, seconds: float) -> StringCommand:
    whole = math.ceil(seconds)
    # Twice: a container of a run that died may have to be waited for first.
    return StringCommand(
        *script(_RUN, name, str(whole), *spec.job_words(name)).bits, _timeout=2 * whole + 6 * STOP_SECONDS
    )


def _with_command(spec: ContainerSpec, argv: tuple[str, ...]) -> ContainerSpec:
    return replace(spec, argv=argv)
