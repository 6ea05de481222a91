"""Who and what stands in the way of a run that nobody has started by hand: a lock that is held, holds of people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from pyinfra.api import FactBase, StringCommand

from slipway import holds
from slipway.engine.journal import JOURNAL
from slipway.facts.files import script
from slipway.facts.releases import RELEASES
from slipway.holds import Hold
from slipway.remote import Remote
from slipway.seam.fence import RUN, holder_in

HOLDS = "/var/lib/slipway/holds.json"
"""A list of holds on one line, root's alone to read."""

# Whoever looks has the lock for a moment; whoever takes it asks again for as long (slipway.engine.lock_script).
_READ = """\
if [ -e "$1/lock" ] && ! flock -n "$1/lock" true; then
  echo "lock $(cat "$1"/held-* 2>/dev/null | head -n 1)"
fi
[ ! -f "$2" ] || { printf 'holds '; tr -d '\\n' < "$2"; echo; echo "sum $(sha256sum < "$2")"; }
# What another run would have changed by now: what serves, what is attempted, how often one became current, the journal.
stat -c 'stands %N %i %.9Y %s' -- "$3/current" "$3/attempt" "$3/log" "$4" 2> /dev/null
exit 0
"""

# Nobody's hold is lost to somebody else's: what is written comes from what was read, or it is refused.
_WRITE = """\
set -eu
file=$1 known=$2
umask 022
mkdir -p -- "${file%/*}"
umask 077
exec 9< "${file%/*}"
flock -w 5 9 || { echo 'somebody else is writing there' >&2; exit 75; }
IFS= read -r told || { echo 'the holds were cut short, and left as they were' >&2; exit 74; }
found=
[ ! -f "$file" ] || { found=$(sha256sum < "$file"); found=${found%% *}; }
[ "$found" = "$known" ] || { echo 'somebody else has changed the holds meanwhile: run it again' >&2; exit 75; }
trap 'rm -f -- "$file.new"' EXIT
trap 'exit 129' HUP INT PIPE TERM
printf '%s\\n' "$told" > "$file.new"; sync -- "$file.new"; mv -fT -- "$file.new" "$file"
"""


@dataclass(frozen=True)
class InTheWay:
    """What one host says of it."""

    is_locked: bool = False
    holder: Mapping[str, str] | None = None
    """Who holds the lock, as they say of themselves; None where nobody does or has said so yet."""
    holds: tuple[Hold, ...] = ()
    """Ended ones too."""
    digest: str = ""
    """SHA-256 of the file that has the holds; empty where there is none."""
    stands: str = ""
    """Another text once any run has begun to bring a release, or has brought one."""

    def standing(self) -> list[Hold]:
        """The holds that have not ended, by the controller's clock."""
        return holds.standing(self.holds, datetime.now(UTC))


class InTheWayFact(FactBase[InTheWay]):
    """The host's lock and its holds."""

    def command(self) -> StringCommand:
        return script(_READ, RUN, HOLDS, RELEASES, JOURNAL)

    @staticmethod
    def default() -> InTheWay:
        return InTheWay()

    def process(self, output: list[str]) -> InTheWay:
        said = dict(line.partition(" ")[::2] for line in output)
        holder = holder_in(said.get("lock", ""))
        digest = said.get("sum", "").partition(" ")[0]
        stands = "\n".join(line for line in output if line.startswith("stands "))
        return InTheWay("lock" in said, holder or None, tuple(_holds(said.get("holds", ""))), digest, stands)


def _holds(text: str) -> list[Hold]:
    try:
        return holds.read(text)
    except ValueError as error:
        raise ValueError(f"{HOLDS} is damaged ({error}): see what it says there, and remove it") from error


def write_holds(remote: Remote, found: InTheWay, wanted: Iterable[Hold]) -> None:
    """The host keeps these holds in the place of those that were found. Raises RemoteFailed, too where those found are
    no longer there."""
    remote.run(script(_WRITE, HOLDS, found.digest), stdin=holds.as_text(wanted).encode())
