"""Runs operations on lab hosts as the engine does: prepare, execute, each through the seam; and says what changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import gevent
from pyinfra import host as current_host
from pyinfra.api import Config, Inventory, State
from pyinfra.api.operation import OperationMeta
from pyinfra.api.state import StateStage
from pyinfra.context import ctx_host, ctx_state

from slipway import seam
from slipway.lab.hosts import hosts_named
from slipway.lab.inventory import connection_data
from slipway.lab.lab import Lab
from slipway.report import changes_of
from slipway.seam.connection import Connection
from slipway.seam.hosts import connect_all, with_connector
from slipway.seam.operations import run_operation


@dataclass
class Outcome:
    """What became of one host."""

    changed: list[str] = field(default_factory=list)
    """Names of the operations that ran a command, in order."""
    planned: list[str] = field(default_factory=list)
    """`subject: what` of each change that the plan told before."""
    error: str = ""
    """Output of the operation that failed; empty where none did."""

    @property
    def is_unchanged(self) -> bool:
        return not self.changed and not self.planned and not self.error


def converge(lab: Lab, hosts: list[str], tasks: Callable[[str], None]) -> dict[str, Outcome]:
    """Calls `tasks(host name)` for each host, then runs what it asked for; a failing operation ends that host's run."""
    seam.install()
    state = connected(lab, hosts)
    outcomes = {name: Outcome() for name in hosts}
    try:
        for some_host in state.inventory:
            with ctx_state.use(state), ctx_host.use(some_host):
                tasks(some_host.name)
                changes = changes_of(current_host).values()
                outcomes[some_host.name].planned = [f"{c.subject}: {c.what}" for cs in changes for c in cs]
        state.set_stage(StateStage.Execute)
        with ctx_state.use(state):
            gevent.joinall(
                [gevent.spawn(_execute, state, h, outcomes[h.name]) for h in state.inventory], raise_error=True
            )
    finally:
        for some_host in state.inventory:
            some_host.disconnect()
    return outcomes


def connected(lab: Lab, hosts: list[str]) -> State:
    members = [(host.name, connection_data(lab.layout, host)) for host in hosts_named(hosts)]
    inventory = with_connector(Inventory((members, {})), Connection)
    state = State(inventory, Config())
    state.set_stage(StateStage.Connect)
    with ctx_state.use(state):
        connect_all(state)
    state.set_stage(StateStage.Prepare)
    return state


def _execute(state: State, some_host: object, outcome: Outcome) -> None:
    with ctx_state.use(state):
        for op_hash in some_host.op_hash_order:
            ok = run_operation(state, some_host, op_hash)
            meta: OperationMeta = state.ops[some_host][op_hash].operation_meta
            name = ", ".join(state.get_op_meta(op_hash).names)
            if meta.executed and meta.did_change():
                outcome.changed.append(name)
            if not ok:
                told = some_host.connector_data.get("slipway_errors", {}).get(op_hash, "")
                outcome.error = (
                    f"{name}: {told}{meta.stdout if meta.executed else ''}{meta.stderr if meta.executed else ''}"
                )
                return
