"""What dpkg knows of packages: version, state, hold; and whether an earlier run was interrupted."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from pyinfra.api import FactBase, StringCommand

from slipway.facts.files import ALL_AT_ONCE, script

PACKAGE_NAME = r"^[a-z0-9][a-z0-9+.-]*[a-z0-9+](:[a-z0-9]+)?$"
"""As Debian policy 5.6.1 has it. A last `-` is refused: apt would take it for "remove this"."""

POLICY = "/usr/sbin/policy-rc.d"
"""What Debian's maintainer scripts ask before they start a service."""
POLICY_MARK = "slipway: start nothing new"
"""A line of our policy file, by which one that a dead run left is told from anyone else's."""


def is_package_name(name: str) -> bool:
    """Whether apt would take this word for a package and nothing else."""
    return re.fullmatch(PACKAGE_NAME, name) is not None


@dataclass(frozen=True)
class PackageState:
    """One package as dpkg's status has it."""

    status: str = "not-installed"
    """installed, config-files, half-configured, unpacked, ...: `db:Status-Status`."""
    version: str = ""
    is_held: bool = False

    @property
    def is_installed(self) -> bool:
        """Unpacked and configured: it can be used."""
        return self.status == "installed"

    @property
    def is_gone(self) -> bool:
        """Nothing of it can run; its configuration may be left."""
        return self.status in ("not-installed", "config-files")

    def has_version(self, pattern: str) -> bool:
        """Whether it is installed in a version that matches, e.g. `20.10*`."""
        return self.is_installed and fnmatchcase(self.version, pattern)


# It ends with 1 where it does not know some of the names, and with 2 where it cannot tell. No name is a pattern.
_ASK_DPKG = """\
set -f
columns='${Package}\\t${Package}:${Architecture}\\t${db:Status-Want}\\t${db:Status-Status}\\t${Version}\\n'
ask_dpkg() { [ $# -gt 0 ] || return 0; dpkg-query -W -f "$columns" -- "$@" 2> /dev/null || [ $? -eq 1 ]; }
"""
_PACKAGES = f"{_ASK_DPKG}ask_dpkg $1\n"
# It tells them in the order of their names, however many are asked for.
ALL_AT_ONCE[_PACKAGES] = f"""\
{_ASK_DPKG}known=$(ask_dpkg $*) || exit 1
end='
'
asked_for() {{ case " $names " in *" $1 "* | *" $2 "*) return 0 ;; esac; return 1; }}
for names do
  IFS=$end
  for line in $known; do
    IFS='\t'
    ! asked_for $line || printf '%s\\n' "$line"
  done
  told 0
done
"""


class PackagesFact(FactBase[dict[str, PackageState]]):
    """State of every asked package; an unknown one is `not-installed`."""

    is_local = True

    def command(self, names: Sequence[str]) -> StringCommand:
        return script(_PACKAGES, " ".join(names))

    @staticmethod
    def default() -> dict[str, PackageState]:
        return {}

    def process(self, output: list[str]) -> dict[str, PackageState]:
        known: dict[str, PackageState] = {}
        for line in output:
            name, qualified, want, status, version = line.split("\t")
            state = PackageState(status, version, want == "hold")
            known[qualified] = state
            # Of several architectures the installed one answers to the bare name.
            if name not in known or known[name].is_gone:
                known[name] = state
        return known


# dpkg's own file is looked through first: nearly always nothing is there to be told, and dpkg-query takes longer.
INTERRUPTED = """\
half='(reinstreq [a-z-]+|ok (half-installed|unpacked|half-configured|triggers-awaited|triggers-pending))$'
set -- "$1" "$2" /var/lib/dpkg/updates/[0-9]*
[ ! -e "$3" ] || echo 'dpkg: updates not merged'
if [ -e "$3" ] || grep -qE "^Status: [a-z]+ $half" /var/lib/dpkg/status 2> /dev/null; then
  dpkg-query -W -f '${Package}: ${db:Status-Eflag} ${db:Status-Status}\\n' | grep -E ": $half"
fi
if [ -f "$1" ] && grep -qF "$2" "$1"; then echo 'policy-rc.d: left by a run that died'; fi
exit 0
"""
"""Lines of what is half done. Its positional parameters: policy file, its mark. Writes nothing."""


class InterruptedFact(FactBase[tuple[str, ...]]):
    """What an interrupted dpkg or a dead run left, a line each; empty where all is well."""

    is_local = True

    def command(self) -> StringCommand:
        return script(INTERRUPTED, POLICY, POLICY_MARK)

    @staticmethod
    def default() -> tuple[str, ...]:
        return ()

    def process(self, output: list[str]) -> tuple[str, ...]:
        return tuple(line for line in output if line)
