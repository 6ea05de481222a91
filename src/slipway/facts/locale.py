"""Locales that a host can use."""

from __future__ import annotations

from pyinfra.api import FactBase, StringCommand

from slipway.facts.files import script


class Locales(FactBase[frozenset[str]]):
    """Names of the locales that are there, as `locale -a` writes them: en_US.utf8."""

    is_local = True

    def command(self) -> StringCommand:
        return script("locale -a 2>/dev/null || true")

    @staticmethod
    def default() -> frozenset[str]:
        return frozenset()

    def process(self, output: list[str]) -> frozenset[str]:
        return frozenset(output)
