"""What of our firewall is on a host."""

from __future__ import annotations

from pyinfra.api import FactBase, StringCommand

from slipway.facts.files import script

RULES = "/etc/slipway/firewall.nft"
LOADED = "/var/lib/slipway/firewall.sum"
"""Checksum of the table as nft lists it once it was loaded, by numbers: names depend on what is installed. What is in
force is compared with it."""
UNIT = "slipway-firewall.service"

KEPT, CHANGED, ABSENT = "kept", "changed", "absent"

_IN_FORCE = """\
command -v nft > /dev/null || { echo absent; exit 0; }
if ! said=$(LC_ALL=C nft -n -s list table inet slipway 2>&1); then
  case $said in *'No such file or directory'*) echo absent; exit 0 ;; esac
  printf '%s\\n' "$said" >&2; exit 1
fi
sum=$(printf '%s\\n' "$said" | sha256sum)
if [ "${sum%% *}" = "$(cat -- "$1" 2> /dev/null)" ]; then echo kept; else echo changed; fi
"""


class InForce(FactBase[str]):
    """Whether our table is in the kernel: KEPT as it was loaded, CHANGED since, or ABSENT."""

    is_local = True

    def command(self) -> StringCommand:
        return script(_IN_FORCE, LOADED)

    @staticmethod
    def default() -> str:
        return ABSENT

    def process(self, output: list[str]) -> str:
        return output[0]


_LEFT = """\
for path in "$@"; do if [ -e "$path" ]; then echo "$path"; fi; done
if command -v nft > /dev/null && nft list tables | grep -qxF 'table inet slipway'; then echo 'table inet slipway'; fi
"""


class Left(FactBase[frozenset[str]]):
    """What there is of our firewall: files, and the table."""

    is_local = True

    def command(self) -> StringCommand:
        return script(_LEFT, RULES, LOADED, f"/etc/systemd/system/{UNIT}")

    @staticmethod
    def default() -> frozenset[str]:
        return frozenset()

    def process(self, output: list[str]) -> frozenset[str]:
        return frozenset(output)
