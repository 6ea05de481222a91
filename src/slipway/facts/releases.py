"""The releases that a host knows of."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pyinfra.api import FactBase, StringCommand

from slipway.facts.files import script
from slipway.facts.secret_files import SECRETS

RELEASES = "/var/lib/slipway/releases"
"""Directory of <id>.json for each release that is kept or staged; `current`, a link to one of them; `log`, a line for
each time one became current; `attempt`, a line about the run that was to make one current and has not (yet)."""

_SCRIPT = """\
for directory in "$2"/*/; do
  [ -d "$directory" ] || continue
  directory=${directory%/}; echo "secrets ${directory##*/}"
done
cd -- "$1" 2>/dev/null || exit 0
[ ! -L current ] || echo "current $(readlink current)"
[ ! -f attempt ] || sed 's/^/attempt /' attempt
[ ! -f log ] || sed 's/^/log /' log
for record in *.json; do [ ! -f "$record" ] || { printf 'record '; tr -d '\\n' < "$record"; echo; }; done
"""


@dataclass(frozen=True)
class Attempt:
    """A run that was to make a release current."""

    id: str
    way: str
    """deploy or rollback."""
    when: str = ""
    who: str = ""


@dataclass(frozen=True)
class ReleaseRecords:
    """What a host's records say."""

    current: str = ""
    """Id of the release that serves."""
    records: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """By id. One that never became current has no `when`."""
    order: tuple[str, ...] = ()
    """Ids by their last deploy, oldest first; by position in the log, since a clock may be set."""
    attempt: Attempt | None = None
    """The run that has not come to its end; None after one that has."""
    way: str = ""
    """How the last one became current: deploy or rollback."""
    directories: frozenset[str] = frozenset()
    """Names of the directories of secrets that are there."""

    @property
    def never_current(self) -> frozenset[str]:
        """Ids of records that were staged and never became current."""
        return frozenset(identity for identity, record in self.records.items() if not record.get("when"))


class ReleasesFact(FactBase[ReleaseRecords]):
    """Every release kept on the host, and which one serves."""

    is_local = True

    def command(self) -> StringCommand:
        return script(_SCRIPT, RELEASES, SECRETS)

    @staticmethod
    def default() -> ReleaseRecords:
        return ReleaseRecords()

    def process(self, output: list[str]) -> ReleaseRecords:
        said: dict[str, list[str]] = {"current": [], "attempt": [], "log": [], "record": [], "secrets": []}
        for kind, _, rest in (line.partition(" ") for line in output):
            said[kind].append(rest)
        records = {str(record["id"]): record for text in said["record"] if (record := _read(text))}
        ids = [line.split(" ")[1] for line in said["log"] if " " in line]
        return ReleaseRecords(
            current=said["current"][0].removesuffix(".json") if said["current"] else "",
            records=records,
            order=tuple(reversed(dict.fromkeys(reversed(ids)))),
            attempt=_attempt(said["attempt"]),
            way=said["log"][-1].rpartition(" ")[2] if said["log"] else "",
            directories=frozenset(said["secrets"]),
        )


def _attempt(lines: list[str]) -> Attempt | None:
    words = lines[0].split(" ") if lines else []
    return Attempt(*words) if len(words) == 4 else None


def _read(text: str) -> dict[str, Any]:
    """A record; nothing where somebody has made it unreadable, so that it is written anew."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) and "id" in found else {}
