"""A session: declared, connected, prepared; and disconnected at the end whatever happens."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pyinfra.api import Config, State
from pyinfra.api.connect import disconnect_all
from pyinfra.api.state import StateStage
from pyinfra.context import ctx_config, ctx_inventory, ctx_state

from slipway.engine.declare import declare
from slipway.engine.events import Events
from slipway.engine.execute import Executor, Result
from slipway.engine.inventory import find_inventory, read_inventory
from slipway.engine.lock import locked
from slipway.engine.prepare import prepare, read_machines
from slipway.engine.run import Run, bind
from slipway.paths import project_root
from slipway.seam.connection import Connection
from slipway.seam.errors import HostUnreachable
from slipway.seam.hosts import connect_all, select, with_connector

CONNECT_SECONDS = 10
"""Time for a host to answer: a slow link needs one or two seconds, a dead host should not cost a minute."""


@contextmanager
def connected(
    inventory_name: str, limit: Iterable[str] = (), events: Events | None = None, deploy_file: Path | None = None,
    override_data: Mapping[str, Any] | None = None,
) -> Iterator[Run]:  # fmt: skip
    """A run that is validated and connected. Raises BadInput before the first connection, HostUnreachable after."""
    path = find_inventory(inventory_name)
    declared = declare(path, [deploy_file or project_root() / "deploy.py"], limit, override_data)
    run = real_run(declared, read_inventory(path, override_data), list(limit), events or Events())
    with ctx_inventory.use(run.state.inventory), ctx_state.use(run.state):
        try:
            connect_all(run.state)
            run.state.set_stage(StateStage.Prepare)
            yield run
        finally:
            disconnect_all(run.state)


@contextmanager
def reached(inventory_name: str, limit: Iterable[str] = ()) -> Iterator[tuple[Run, dict[str, str]]]:
    """For looking only: a run over the hosts that answer, and why each other one did not. The roles are declared."""
    path = find_inventory(inventory_name)
    declared = declare(path, [project_root() / "deploy.py"], limit)
    run = real_run(declared, read_inventory(path), list(limit), Events())
    run.applied = declared.applied
    unreachable: dict[str, str] = {}
    with ctx_inventory.use(run.state.inventory), ctx_state.use(run.state):
        try:
            try:
                connect_all(run.state)
            except HostUnreachable as error:
                unreachable = error.hosts
            run.state.set_stage(StateStage.Prepare)
            read_machines(run)
            yield run, unreachable
        finally:
            disconnect_all(run.state)


def real_run(declared: Run, inventory: Any, limit: list[str], events: Events) -> Run:
    """The run that connects, from the one that was declared."""
    with_connector(inventory, Connection)
    state, config = State(check_for_changes=True), Config()
    config.CONNECT_TIMEOUT = CONNECT_SECONDS
    ctx_config.set(config)
    state.init(inventory, config, initial_limit=select(inventory, limit) if limit else None)
    state.cwd = str(project_root())
    state.set_stage(StateStage.Connect)
    return attach(declared, state, events)


def attach(declared: Run, state: State, events: Events) -> Run:
    """Gives a pyinfra state its run: the fleet, the application and the release that were declared."""
    run = Run(state, declared.fleet, declared.secrets, declared.stack, declared.release, events=events)
    run.stages = list(declared.stages)
    return bind(run)


def deploy(run: Run, deploy_file: Path | None = None, doing: str = "deploy") -> Result:
    """Locks every host of the run, reads them, brings them to what is wanted. Raises LockHeld, PrepareFailed."""
    with locked(run.state.inventory.get_active_hosts(), f"{doing} {run.fleet.inventory}") as lock:
        prepare(run, deploy_file or project_root() / "deploy.py")
        return Executor(run, lock).execute()


def execute(run: Run, doing: str = "deploy") -> Result:
    """The same for a run that is prepared already: facts are read again before each change."""
    with locked(run.state.inventory.get_active_hosts(), f"{doing} {run.fleet.inventory}") as lock:
        return Executor(run, lock).execute()
