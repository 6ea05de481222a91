"""Kernel settings in force, and whether the kernel is this host's own to set."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from pyinfra.api import FactBase, StringCommand

from slipway.facts.files import script
from slipway.facts.virtual import IN_CONTAINER

NAMESPACED = ("net.", "kernel.msg", "kernel.sem", "kernel.shm", "fs.mqueue.")
"""Settings that a container has of its own; all others are the whole machine's (namespaces(7))."""


@dataclass(frozen=True)
class KernelSettings:
    """What /proc/sys says of the asked keys."""

    values: dict[str, str] = field(default_factory=dict)
    """Key to value in force, blanks as single spaces; keys that this kernel lacks are not in it."""
    read_only: frozenset[str] = frozenset()
    is_shared: bool = False
    """Whether the kernel is somebody else's: the host is a container."""

    def may_set(self, key: str) -> bool:
        """Whether it is this host's to set: in a container only what the container has of its own."""
        return not self.is_shared or (key.startswith(NAMESPACED) and key in self.values and key not in self.read_only)


# Keys come as paths below /proc/sys. Two programs for all of them; the shell's own `read` would take one character of
# each, for /proc/sys answers the first read of a file only.
_SCRIPT = """\
if @IN_CONTAINER@; then echo shared; else echo own; fi
cd /proc/sys || exit 1
n=$#
for each do [ ! -f "$each" ] || set -- "$@" "$each"; done
shift "$n"
[ $# -gt 0 ] || exit 0
stat -c '%A %n' -- "$@" || exit 1
grep -H '' -- "$@" 2> /dev/null
exit 0
""".replace("@IN_CONTAINER@", IN_CONTAINER)


_MODE = re.compile(r"-[-rwxsStT]{9} [^:]")
"""A line of `stat`, and not one of `grep`: no path begins with a dash."""


def _path_of(key: str) -> str:
    """A dot stands for a slash of the path, and a slash for a dot (an interface called eth0.100): sysctl.d(5)."""
    return key.translate(str.maketrans("./", "/."))


class SysctlFact(FactBase[KernelSettings]):
    """The asked kernel settings, in one command."""

    is_local = True

    def command(self, keys: Sequence[str]) -> StringCommand:
        return script(_SCRIPT, *map(_path_of, keys))

    @staticmethod
    def default() -> KernelSettings:
        return KernelSettings()

    def process(self, output: list[str]) -> KernelSettings:
        modes = {line[11:]: line[:10] for line in output[1:] if _MODE.match(line)}
        said: dict[str, list[str]] = {path: [] for path in modes}
        for line in output[1 + len(modes) :]:
            path, _, value = line.partition(":")
            said[path].append(value)
        values = {_path_of(path): " ".join(" ".join(lines).split()) for path, lines in said.items()}
        read_only = frozenset(_path_of(path) for path, mode in modes.items() if "w" not in mode)
        return KernelSettings(values, read_only, output[0] == "shared")
