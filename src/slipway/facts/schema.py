"""Which migration was the last to be finished: the schema as it is now."""

from __future__ import annotations

from dataclasses import dataclass

from pyinfra.api import FactBase, StringCommand

from slipway.facts.files import script
from slipway.facts.migrations import LEDGER


@dataclass(frozen=True)
class Finished:
    """A migration that was finished."""

    key: str
    release: str
    """The release whose run finished it."""


class LastMigration(FactBase[Finished | None]):
    """The newest entry of a database's ledger; None where nothing was ever finished. Fails where nobody can tell."""

    def command(self, database: str, port: int) -> StringCommand:
        return script(_DATABASE, database, str(port))

    @staticmethod
    def default() -> None:
        return None

    def process(self, output: list[str]) -> Finished | None:
        return _finished(output)


class LastFileMigration(FactBase[Finished | None]):
    """The same of a stack without Postgres, whose ledger is files on the host."""

    def command(self, stack: str) -> StringCommand:
        return script(_FILES, LEDGER, stack)

    @staticmethod
    def default() -> None:
        return None

    def process(self, output: list[str]) -> Finished | None:
        return _finished(output)


def _finished(output: list[str]) -> Finished | None:
    key, _, release = (output[0] if output else "").partition(" ")
    return Finished(key, release) if key else None


# "Could not tell" is never "none": a server that is there and does not answer is an error.
_DATABASE = """\
set -u; cd /; command -v psql >/dev/null || exit 0
ask() { timeout 20 runuser -u postgres -- env PGCONNECT_TIMEOUT=10 "PGDATABASE=$1" \\
  psql -XAtqw -v ON_ERROR_STOP=1 -p "$2"; }
there=$(echo "SELECT to_regclass('slipway.migration') IS NOT NULL" | ask "$@") || exit 1
[ "$there" = t ] || exit 0
echo "SELECT key || ' ' || release FROM slipway.migration WHERE finished IS NOT NULL
  ORDER BY finished DESC, started DESC LIMIT 1" | ask "$@"
"""
_FILES = """\
cd -- "$1/$2" 2>/dev/null || exit 0
key=$(ls -t | head -n 1)
[ -z "$key" ] || echo "$key $(cat -- "$key")"
"""
