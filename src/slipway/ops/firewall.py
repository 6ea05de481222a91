"""nftables: one table of our own, loaded in one step beside whatever Docker and others have."""

from __future__ import annotations

from collections.abc import Generator

from pyinfra import host
from pyinfra.api import StringCommand, operation

from slipway.facts.files import script
from slipway.facts.firewall import ABSENT, KEPT, LOADED, RULES, UNIT, InForce, Left
from slipway.ops import files
from slipway.ops.guarded import SECONDS, Guard, guarded
from slipway.report import note_change

_LOAD = """\
set -eu
umask 077
nft -f "$1"
LC_ALL=C nft -n -s list table inet slipway | sha256sum | cut -d ' ' -f 1 > "$2"
"""

_KEEP = "nft -s list table inet slipway > live.nft 2> /dev/null || rm -f live.nft"

# The empty table is there so that deleting it never fails; nft does all of it or nothing. A table that cannot be put
# back from its listing comes from the file, and at worst not at all: nobody stays locked out.
_RESTORE = f"""\
{{
  printf 'table inet slipway {{}}\\ndelete table inet slipway\\n'
  [ ! -e live.nft ] || cat live.nft
}} | nft -f - && exit
nft -f {RULES} || nft delete table inet slipway
"""


@operation()
def rules(content: str, seconds: int = SECONDS) -> Generator[StringCommand]:
    """These rules are in the table `inet slipway`, on disk and in force, and let us in.

    + seconds: after which the host undoes it unless we have logged in anew

    What was changed in the table by hand is put back. Fails, leaving everything as it was, where nft refuses the rules
    or they would cut us off.
    """
    steps = [*files.put._inner(RULES, content, mode="600", check=["nft", "-c", "-f", files.CANDIDATE])]
    found = host.get_fact(InForce)
    if found != KEPT:
        note_change("table inet slipway", "new" if found == ABSENT else "changed by hand")
    if steps or found != KEPT:
        guard = Guard("firewall", (RULES, LOADED), keep=_KEEP, restore=_RESTORE, seconds=seconds)
        yield from guarded(guard, [*steps, script(_LOAD, RULES, LOADED)])


_REMOVE = """\
set -eu
unit=$1 rules=$2 loaded=$3
if [ -e "/etc/systemd/system/$unit" ]; then systemctl disable --quiet --now -- "$unit"; fi
if command -v nft > /dev/null; then printf 'table inet slipway {}\\ndelete table inet slipway\\n' | nft -f -; fi
rm -f -- "$rules" "$loaded" "/etc/systemd/system/$unit"
systemctl daemon-reload
"""


@operation()
def gone() -> Generator[StringCommand]:
    """Nothing of our firewall is left. Nothing is guarded: what lets more in cuts nobody off."""
    found = host.get_fact(Left)
    if not found:
        return
    for each in sorted(found):
        note_change(each, "removed")
    yield script(_REMOVE, UNIT, RULES, LOADED)
