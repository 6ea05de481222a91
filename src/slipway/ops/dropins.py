"""Drop-ins of ours beside a distribution's unit, and leftovers of files that data no longer asks for."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from fnmatch import fnmatchcase

from pyinfra import host
from pyinfra.api import StringCommand, operation

from slipway.facts.files import Markers, script
from slipway.ops import files, units
from slipway.report import note_change


@operation()
def drop_in(unit: str, content: str, owes: Sequence[str] = ()) -> Generator[StringCommand]:
    """/etc/systemd/system/<unit>.d/50-slipway.conf; systemd knows of it afterwards, what it owes is written down."""
    directory = f"/etc/systemd/system/{unit}.d"
    debt = f"daemon-reload:{unit}"
    yield from [
        *files.directory._inner(directory),
        *files.put._inner(f"{directory}/50-slipway.conf", content, owes=[debt, *owes]),
    ]
    yield from units._daemon_reload(unit, [debt])


@operation()
def only(directory: str, pattern: str, keep: Sequence[str]) -> Generator[StringCommand]:
    """Of the files that match `pattern` there are none but these: what an earlier run wrote and data dropped goes."""
    found = host.get_fact(Markers, directory=directory)
    extra = sorted(name for name in found if fnmatchcase(name, pattern) and name not in keep)
    for name in extra:
        note_change(f"{directory}/{name}", "removed: data no longer asks for it")
    if extra:
        yield script('set -eu; cd -- "$1"; shift; rm -f -- "$@"', directory, *extra)
