"""The audit of a host: a line when a run begins to change it, a line when that has ended."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pyinfra.api import FactBase, StringCommand

from slipway.facts.files import script

AUDIT = "/var/lib/slipway/audit.jsonl"
"""JSON lines, root's alone to read. When it has grown to MOST_BYTES it becomes audit.jsonl.1, and that one goes."""

MOST_BYTES = 1 << 20
"""About two thousand runs in each of the two files."""

# A shell function `record LINE`, for sh and bash; no single quotes. One write for a line, under a lock of the
# directory: two writers never mix, and nobody writes into a file that is being put aside. Half a line is taken back.
RECORD = f"""\
record() {{ (
  file={AUDIT}
  {{ [ -d "${{file%/*}}" ] || mkdir -p -- "${{file%/*}}"; }} &&
    exec 8<"${{file%/*}}" && flock -w 5 8 || {{ echo "cannot write $file" >&2; exit 1; }}
  umask 077
  size=$(stat -c %s -- "$file" 2>/dev/null || echo 0)
  if [ "$size" -gt {MOST_BYTES} ]; then mv -fT -- "$file" "$file.1" || exit 1; size=0; fi
  printf "%s\\n" "$1" | dd of="$file" bs=1M iflag=fullblock oflag=append conv=notrunc,fsync status=none && exit 0
  truncate -s "$size" -- "$file"
  exit 1
); }}
"""

_READ = """\
for mark in /run/slipway/held-*; do
  [ -f "$mark" ] && { read -r pid rest < "$mark" && [ -d "/proc/$pid" ] && echo "held ${mark##*-}"; } 2>/dev/null
done
for file in "$1.1" "$1"; do [ ! -f "$file" ] || cat -- "$file"; done | tail -n "$2" | sed 's/^/line /'
exit 0
"""

# The client as this host sees it: sudo does not pass it on, but whoever called sudo has it.
CLIENT = """\
client() {
  found=${SSH_CONNECTION-}; found=${found%% *}
  case $found in "" | *[!0-9a-fA-F.:]*) pid=$PPID ;; *) echo "$found"; return ;; esac
  while [ "${pid:-0}" -gt 1 ]; do
    found=$(grep -azo "^SSH_CONNECTION=[0-9a-fA-F.:]*" /proc/$pid/environ)
    [ -z "$found" ] || { echo "${found#*=}"; return; }
    read -r stat < /proc/$pid/stat || return  # pid (name, which may hold anything) state parent
    stat=${stat##*) }; stat=${stat#* }; pid=${stat%% *}
  done
}
"""


def record(line: str) -> StringCommand:
    """Appends a line that is a JSON object, whole or not at all, with where it came from. Fails where it cannot."""
    text = f'{RECORD}{CLIENT}record "{{\\"from\\":\\"$(client 2>/dev/null)\\",${{1#?}}"'
    return script(text, line)


@dataclass(frozen=True)
class Audited:
    """What a host has on record."""

    lines: tuple[Mapping[str, Any], ...] = ()
    """Oldest first."""
    held: frozenset[str] = frozenset()
    """Ids of runs that hold the host's lock now."""


class AuditFact(FactBase[Audited]):
    """The last lines of a host's audit; lines that somebody has made unreadable are left out."""

    def command(self, most: int) -> StringCommand:
        return script(_READ, AUDIT, str(most))

    @staticmethod
    def default() -> Audited:
        return Audited()

    def process(self, output: list[str]) -> Audited:
        said = [line.partition(" ")[::2] for line in output]
        lines = tuple(read for kind, rest in said if kind == "line" and (read := _read(rest)))
        return Audited(lines, frozenset(rest for kind, rest in said if kind == "held"))


def _read(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) and isinstance(found.get("id"), str) else {}
