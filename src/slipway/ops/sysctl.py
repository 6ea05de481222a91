"""Kernel settings: written down for the next boot, and in force now."""

from __future__ import annotations

from collections.abc import Generator, Mapping

from pyinfra import host
from pyinfra.api import StringCommand, operation

from slipway.facts.files import script
from slipway.facts.sysctl import KernelSettings, SysctlFact
from slipway.ops import files
from slipway.problems import BadInput, Problem
from slipway.report import note_change

_APPLY = """\
while [ $# -gt 0 ]; do
  path=/proc/sys/$(printf '%s' "$1" | tr ./ /.)
  if ! said=$( { printf '%s\\n' "$2" > "$path"; } 2>&1 ); then
    printf 'sysctl %s: the kernel refuses %s: %s\\n' "$1" "$2" "$said" >&2
    echo 'HINT: correct it in the sysctl data of the role.' >&2
    exit 1
  fi
  shift 2
done
"""


@operation()
def settings(path: str, values: Mapping[str, str]) -> Generator[StringCommand]:
    """These kernel settings are in force and, by the drop-in at `path`, again after a boot.

    In a container only those that are the container's own are set and written: the others are the whole machine's.
    Fails naming the key where the kernel has no such setting or refuses its value.
    """
    found = host.get_fact(SysctlFact, keys=tuple(values))
    own = {key: " ".join(str(value).split()) for key, value in values.items() if found.may_set(key)}
    _refuse_unknown(own, found)
    drifted = {key: value for key, value in own.items() if found.values[key] != value}
    for key, value in drifted.items():
        note_change(f"sysctl {key}", f"{found.values[key]} -> {value}")
    yield from files.put._inner(path, _drop_in(own))
    if drifted:
        yield script(_APPLY, *(word for pair in drifted.items() for word in pair))


def _refuse_unknown(own: Mapping[str, str], found: KernelSettings) -> None:
    unknown = [key for key in own if key not in found.values]
    if unknown:
        hint = "a module may have to be loaded first, or the key belongs to another kernel version"
        raise BadInput(Problem(f"sysctl {key}", "this host's kernel has no such setting", hint) for key in unknown)


def _drop_in(own: Mapping[str, str]) -> str:
    lines = [f"{key} = {value}" for key, value in own.items()]
    return "\n".join(["# Managed by Slipway: hand edits are undone by the next run.", *lines, ""])
