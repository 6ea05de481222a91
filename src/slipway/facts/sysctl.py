"""Kernel settings in force, and whether the kernel is this host's own to set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from pyinfra.api import FactBase, StringCommand

from slipway.facts.files import script

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


_SCRIPT = """\
if systemd-detect-virt --quiet --container; then echo shared; else echo own; fi
for key in "$@"; do
  path=/proc/sys/$(printf '%s' "$key" | tr ./ /.)
  [ -f "$path" ] || continue
  case $(stat -c %A -- "$path") in *w*) mode=rw ;; *) mode=ro ;; esac
  printf '%s %s %s\\n' "$key" "$mode" "$(tr '\\t\\n' '  ' < "$path")"
done
"""
"""A dot in a key stands for a slash of the path, and a slash for a dot (an interface called eth0.100): sysctl.d(5)."""


class SysctlFact(FactBase[KernelSettings]):
    """The asked kernel settings, in one command."""

    def command(self, keys: Sequence[str]) -> StringCommand:
        return script(_SCRIPT, *keys)

    @staticmethod
    def default() -> KernelSettings:
        return KernelSettings()

    def process(self, output: list[str]) -> KernelSettings:
        rows = [line.split(maxsplit=2) for line in output[1:]]
        values = {row[0]: " ".join(row[2].split()) if len(row) > 2 else "" for row in rows}
        return KernelSettings(values, frozenset(row[0] for row in rows if row[1] == "ro"), output[0] == "shared")
