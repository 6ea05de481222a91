"""Locales: generated where they are missing."""

from __future__ import annotations

from collections.abc import Generator

from pyinfra import host
from pyinfra.api import StringCommand, operation

from slipway.facts.files import script
from slipway.facts.locale import Locales
from slipway.report import note_change


@operation()
def generated(locale: str) -> Generator[StringCommand]:
    """The locale can be used: what /etc/locale.gen names is generated. Needs the package `locales`."""
    if locale.replace("UTF-8", "utf8") in host.get_fact(Locales):
        return
    note_change(f"locale {locale}", "generate")
    yield script("exec locale-gen")
