"""An nginx that was set up by others, or by the distribution, before it is ours."""

from __future__ import annotations

from collections.abc import Generator

from pyinfra import host
from pyinfra.api import StringCommand, operation

from slipway.facts.files import Content, script
from slipway.ops.files import OWED
from slipway.report import note_change

_OWE = """\
set -eu
mkdir -p -- "$1"
: > "$1/restart:nginx"
"""


@operation()
def taken_over(path: str, ours: str) -> Generator[StringCommand]:
    """Where the configuration at `path` does not name `ours`, a restart of nginx is owed; to be run before it is ours.

    A reload cannot go from the distribution's 0.0.0.0 to one address: the new socket finds the port taken. Once it is
    ours a hand edit is undone by a reload, which nobody notices.
    """
    there = host.get_fact(Content, path=path)
    if not there or ours in there:
        return
    note_change("nginx", "runs by a configuration that is not ours")
    yield script(_OWE, OWED)
