"""Names of the fleet: /etc/hosts says every member's private address, and keeps everyone else's lines."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Generator, Mapping, Sequence

from pyinfra import host
from pyinfra.api import StringCommand, operation

from slipway.facts.files import script, with_input
from slipway.facts.names import HostName, HostsFile
from slipway.report import note_change

PATH = "/etc/hosts"
MARK = "# slipway: undone by the next run if edited"
"""Ends each line of ours, so that a block whose border was damaged by hand is still found whole."""

_WRITE = """\
set -eu
path=$1 before=$2 after=$3
umask 022
trap 'exit 129' HUP INT PIPE TERM
# One run at a time is on a host, so a candidate that lies here is a dead run's.
rm -f -- "$path".slipway.????????
tmp=$(mktemp -- "$path.slipway.XXXXXXXX")
trap 'rm -f -- "$tmp"' EXIT
cat > "$tmp"
sum_of() { set -- "$(sha256sum < "$1")"; printf '%s' "${1%% *}"; }
[ "$(sum_of "$tmp")" = "$after" ] || { echo "the upload of $path was cut short" >&2; exit 74; }
if [ -e "$path" ] && [ "$(sum_of "$path")" != "$before" ]; then
  printf '%s is being changed by somebody else; it is left as it is\\nHINT: run again.\\n' "$path" >&2
  exit 75
fi
chmod 644 "$tmp"
if grep -q " $path " /proc/self/mountinfo; then
  # A container's own mount cannot be renamed over; what is there is small enough to be written in one call.
  cat < "$tmp" > "$path"
else
  sync -- "$tmp"; mv -fT -- "$tmp" "$path"
fi
"""


@operation()
def fleet(addresses: Mapping[str, Sequence[str]]) -> Generator[StringCommand]:
    """Each address answers to its names, ahead of what other lines say; lines of others stay as they are.

    Where /etc/hosts is a mount of its own (a container's) it is written in place, everywhere else swapped in one step.
    """
    found = host.get_fact(HostsFile)
    wanted = with_fleet(found, addresses)
    if found == wanted:
        return
    lines = (found.splitlines(keepends=True), wanted.splitlines(keepends=True))
    note_change(PATH, "fleet names", "".join(difflib.unified_diff(*lines, f"{PATH} (on the host)", f"{PATH} (wanted)")))
    command = script(_WRITE, PATH, _sha256(found), _sha256(wanted))
    yield with_input(command, wanted.encode())


@operation()
def hostname(wanted: str) -> Generator[StringCommand]:
    """The host is called this, now and after the next boot."""
    found = host.get_fact(HostName)
    if found == (wanted, wanted):
        return
    note_change("host name", f"{found[0]} -> {wanted}")
    # A few bytes, written in one call: /etc/hostname may be a container's mount, which cannot be renamed.
    yield script(
        'set -eu; printf "%s\\n" "$1" > /etc/hostname; printf "%s\\n" "$1" > /proc/sys/kernel/hostname', wanted
    )


def with_fleet(text: str, addresses: Mapping[str, Sequence[str]]) -> str:
    """That text with our lines first and no others of ours."""
    ours = [f"{address}\t{' '.join(names)}\t{MARK}\n" for address, names in addresses.items()]
    others = [line for line in text.splitlines(keepends=True) if not line.rstrip().endswith(MARK)]
    return "".join([*ours, *others])


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
