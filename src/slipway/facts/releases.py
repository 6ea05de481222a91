"""The releases that a host knows of."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pyinfra.api import FactBase, StringCommand

from slipway.facts.files import script

RELEASES = "/var/lib/slipway/releases"
"""Directory of <id>.json for each release that is kept, `current`, a link to one of them, and `log`."""

_SCRIPT = """\
cd -- "$1" 2>/dev/null || exit 0
[ ! -L current ] || echo "current $(readlink current)"
[ ! -f log ] || sed 's/^/log /' log
for record in *.json; do [ ! -f "$record" ] || { printf 'record '; tr -d '\\n' < "$record"; echo; }; done
"""


@dataclass(frozen=True)
class ReleaseRecords:
    """What a host's records say."""

    current: str = ""
    """Id of the release that serves."""
    records: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """By id."""
    order: tuple[str, ...] = ()
    """Ids by their last deploy, oldest first; by position in the log, since a clock may be set."""


class ReleasesFact(FactBase[ReleaseRecords]):
    """Every release kept on the host, and which one serves."""

    def command(self) -> StringCommand:
        return script(_SCRIPT, RELEASES)

    @staticmethod
    def default() -> ReleaseRecords:
        return ReleaseRecords()

    def process(self, output: list[str]) -> ReleaseRecords:
        current, ids, records = "", [], {}
        for kind, _, rest in (line.partition(" ") for line in output):
            if kind == "current":
                current = rest.removesuffix(".json")
            elif kind == "log":
                ids.append(rest.split(" ")[1] if " " in rest else "")
            elif kind == "record" and (record := _read(rest)):
                records[str(record["id"])] = record
        return ReleaseRecords(current, records, tuple(reversed(dict.fromkeys(reversed(ids)))))


def _read(text: str) -> dict[str, Any]:
    """A record; nothing where somebody has made it unreadable, so that it is written anew."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) and "id" in found else {}
