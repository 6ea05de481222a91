"""What of ours is still at work on a host: processes that hold the shared lock of changing commands."""

from __future__ import annotations

from collections.abc import Iterable

from pyinfra.api import StringCommand

from slipway.facts.files import script
from slipway.printable import in_one_line

_WRAPPERS = frozenset({"flock", "timeout", "sudo", "sh", "dash", "bash"})
_MOST, MOST_OF_A_NAME = 5, 80

# Names and ages only: arguments may be anybody's secrets. Ticks are hundredths of a second on every Linux. A container
# has a directory of that name too, which is another one.
LIST = """\
read -r up _ < /proc/uptime
find /proc/[0-9]*/fd -maxdepth 1 -lname "$1" 2>/dev/null | while read -r fd; do
  [ ! "$fd" -ef "$1" ] || echo "$fd"
done | cut -d/ -f3 | sort -nu | while read -r pid; do
  { read -r name < "/proc/$pid/comm" && read -r stat < "/proc/$pid/stat"; } 2>/dev/null || continue
  set -- ${stat##*)}
  echo "$pid $(( ${up%.*} - ${20} / 100 )) $name"
done
"""


def at_work(directory: str) -> StringCommand:
    """Lists who holds a lock on this directory: pid, seconds since it began, and the program's name. As root."""
    return script(LIST, directory)


def told(lines: Iterable[str]) -> str:
    """In words; empty where nothing is at work."""
    found = [line.split(" ", 2) for line in lines if line.count(" ") >= 2]
    # The shells and limits around a command are told only where there is nothing else.
    inner = [each for each in found if each[2] not in _WRAPPERS] or found[-1:]
    words = [in_one_line(f"{name} (pid {pid}, for {age} s)", MOST_OF_A_NAME) for pid, age, name in inner]
    more = f" and {len(words) - _MOST} more" if len(words) > _MOST else ""
    return ", ".join(words[:_MOST]) + more
