"""The ledger of migrations of a stack without Postgres: files on the host that runs them."""

from __future__ import annotations

from pyinfra.api import FactBase, StringCommand

from slipway.facts.files import script

LEDGER = "/var/lib/slipway/migrations"
"""Directory of stacks, each with a file for each migration that is done; it holds the release that did it."""


class FileLedgerEntry(FactBase[str | None]):
    """The release that finished the migration `key` of a stack; None where none did."""

    def command(self, stack: str, key: str) -> StringCommand:
        return script('[ ! -f "$1/$2/$3" ] || cat -- "$1/$2/$3"', LEDGER, stack, key)

    @staticmethod
    def default() -> None:
        return None

    def process(self, output: list[str]) -> str | None:
        return output[0] if output else None
