"""Preparing a second run over the same connections: what the first prepared is forgotten, answers are not."""

from __future__ import annotations

from pyinfra.api import State
from pyinfra.api.state import StateHostMeta

PER_RUN = ("slipway_identities", "slipway_changes", "slipway_managed", "slipway_errors")
"""What is kept of a run's operations with each host."""


def forget_operations(state: State) -> None:
    """No operation is prepared. Only before anything was executed."""
    state.op_meta = {}
    for host in state.inventory:
        state.ops[host], state.meta[host] = {}, StateHostMeta()
        host.op_hash_order = []
        for key in PER_RUN:
            host.connector_data.pop(key, None)
