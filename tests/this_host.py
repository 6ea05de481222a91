"""A connection to the machine that the tests run on, as pull mode has it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pyinfra.api import Config, Inventory, State
from pyinfra.api.state import StateStage

from slipway import seam
from slipway.seam.connection import Connection
from slipway.seam.hosts import connect_all, disconnect_all, reached_from_here


@contextmanager
def connected_here() -> Iterator[Connection]:
    seam.install()
    state = State(reached_from_here(Inventory((["web1"], {})), "web1"), Config())
    state.set_stage(StateStage.Connect)
    connect_all(state)
    connector: Any = next(iter(state.inventory)).connector
    yield connector
    disconnect_all(state)
