"""What the full stack wants of each host, worked out by Slipway and written down for stock pyinfra to bring.

    python -m slipway.bench.wanted INVENTORY FILE

Connects to every host, because sizes follow from what a host is made of. No secret is written.
"""

from __future__ import annotations

import pickle
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from slipway.cli.outcome import truthful  # first: it patches for gevent

# isort: split
from pyinfra.api.host import Host

from slipway.context import Context
from slipway.engine.prepare import read_machines
from slipway.engine.record import wanted
from slipway.engine.run import Run
from slipway.engine.session import connected

Wanted = tuple[dict[str, Any], Context]
"""Role to its data, and the context, without secrets: whoever brings it opens their source again."""


def export(inventory: str, to: Path) -> None:
    """Writes host to Wanted, for this user's eyes only."""
    with truthful(), connected(inventory) as run:
        read_machines(run)
        found = {host.name: _of(run, host) for host in run.state.inventory}
    to.touch(mode=0o600)
    to.write_bytes(pickle.dumps(found))


def _of(run: Run, host: Host) -> Wanted:
    ctx = run.context(host)
    roles = {role.name: wanted(run, role, host, ctx) for stage in run.stages for role in stage.roles_for(host.groups)}
    nothing: Any = None
    return roles, replace(ctx, secrets=nothing)


if __name__ == "__main__":
    export(sys.argv[1], Path(sys.argv[2]))
