"""What a deploy is going to ask of hosts that no run has asked before: by going through its operations as if the hosts
had nothing. What depends on an answer cannot be told so, and is asked by itself."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from pyinfra.api import Config
from pyinfra.api.host import Host
from pyinfra.context import ctx_config, ctx_host, ctx_inventory, ctx_state

from slipway.engine.preflight import look_at
from slipway.engine.prepare import ask_first
from slipway.engine.run import Run
from slipway.seam.connection import NullConnection
from slipway.seam.together import Question


def foretell(declared: Run, names: Collection[str]) -> Mapping[str, tuple[Question, ...]]:
    """Questions of these hosts, in the order in which a deploy is going to put them.

    + declared: a run as `declare` leaves it; its operations are gone through up to their first command
    """
    found: dict[str, tuple[Question, ...]] = {}
    run = replace(declared, validated=declared.applied, machines={}, standing={})
    with ctx_inventory.use(declared.state.inventory), ctx_state.use(declared.state):
        for host in declared.state.inventory:
            if host.name in names and isinstance(host.connector, NullConnection):
                with ctx_config.use(Config()), ctx_host.use(host):
                    _go_through(run, host)
                found[host.name] = tuple(host.connector.asked)
    return found


def _go_through(run: Run, host: Host) -> None:
    # That nothing answers is what hardly any step was made for: what comes behind a mistake is not foretold.
    with suppress(Exception):
        look_at(run, host)
    with suppress(Exception):
        ask_first(run, host)
    for identity in host.op_hash_order:
        commands: Any = run.state.ops[host][identity].command_generator()
        with suppress(Exception):
            next(commands, None)
        commands.close()
