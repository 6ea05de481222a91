"""A session: declared, connected, prepared; and disconnected at the end whatever happens."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gevent
from pyinfra.api import Config, State
from pyinfra.api.state import StateStage
from pyinfra.context import ctx_config, ctx_inventory, ctx_state

from slipway.engine import audit
from slipway.engine.declare import declare
from slipway.engine.events import Events
from slipway.engine.execute import Executor, Result
from slipway.engine.foretell import foretell
from slipway.engine.inventory import find_inventory, read_inventory
from slipway.engine.lock import PERSON, Claim, FleetLock, LockFailed, locked
from slipway.engine.preflight import NotReady, found_since, stop_at_errors, what_stops
from slipway.engine.prepare import pending, prepare, read_machines
from slipway.engine.run import Run, bind
from slipway.engine.unconfirmed import undo_unconfirmed
from slipway.paths import project_root, state_dir
from slipway.release import origin
from slipway.seam import install
from slipway.seam.connection import Connection
from slipway.seam.errors import HostUnreachable
from slipway.seam.hosts import (
    connect_all,
    disconnect_all,
    expect_questions,
    learn_questions,
    reached_from_here,
    ready_to_prove,
    renew_answers,
    select,
    with_connector,
)

CONNECT_SECONDS = 10
"""Time for a host to answer: a slow link needs one or two seconds, a dead host should not cost a minute."""


@contextmanager
def connected(
    inventory_name: str, limit: Iterable[str] = (), events: Events | None = None, deploy_file: Path | None = None,
    override_data: Mapping[str, Any] | None = None, here: str = "",
) -> Iterator[Run]:  # fmt: skip
    """A run that is validated and connected. Raises BadInput before the first connection, HostUnreachable after.

    + here: the host that this process runs on, which is reached without SSH
    """
    path = find_inventory(inventory_name)
    declared = declare(path, [deploy_file or project_root() / "deploy.py"], limit, override_data)
    run = real_run(declared, read_inventory(path, override_data), list(limit), events or Events(), here)
    know_questions(run, declared)
    gevent.spawn(origin, project_root())  # git takes as long as a connection; it is going to be asked for
    with ctx_inventory.use(run.state.inventory), ctx_state.use(run.state):
        try:
            try:
                connect_all(run.state)
            except HostUnreachable as error:
                go_on_without(run, error)
            run.state.set_stage(StateStage.Prepare)
            yield run
        finally:
            disconnect_all(run.state)


def know_questions(run: Run, declared: Run, by: str = "") -> None:
    """From here on what a run asks of a host goes together: by what the last run asked, or by what was declared.

    + by: a run that asks other things than a deploy does, and would have those forgotten
    """
    hosts = [host for host in run.state.inventory if run.state.is_host_in_limit(host)]
    learn_questions(hosts, state_dir() / "asked" / by / run.fleet.inventory)
    expect_questions(hosts, lambda names: foretell(declared, names))


def go_on_without(run: Run, error: HostUnreachable) -> None:
    """Notes hosts that did not answer, where the application's policy lets the rest go on. Raises the error elsewhere.

    Only hosts that run nothing but services of the application may be missing: an edge, a database or a host of a role
    of its own is not replaced by others.
    """
    stack = run.stack
    if stack is None or stack.rollout.unreachable != "continue" or not error.reached:
        raise error
    own = {service.x.group for service in stack.services}
    needed = {group for stage in run.stages for group in stage.through} | {n.group for n in stack.native.values()}
    for name in error.hosts:
        groups = set(run.fleet.member(name).groups)
        if not groups & own or groups & needed:
            raise error
    run.absent = dict(error.hosts)


@contextmanager
def reached(inventory_name: str, limit: Iterable[str] = ()) -> Iterator[tuple[Run, dict[str, str]]]:
    """For looking only: a run over the hosts that answer, and why each other one did not. The roles are declared."""
    with answering(inventory_name, limit) as (run, unreachable):
        yield run, unreachable | _without_those_that_make_no_sense(run)


@contextmanager
def answering(inventory_name: str, limit: Iterable[str] = ()) -> Iterator[tuple[Run, dict[str, str]]]:
    """The same, nothing asked of them yet: whoever logs in need not be root there."""
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
            yield run, unreachable
        finally:
            disconnect_all(run.state)


def _without_those_that_make_no_sense(run: Run) -> dict[str, str]:
    """Asks each host what it is made of; one whose answer cannot be understood is left out, and told."""
    odd = read_machines(run)
    run.state.active_hosts -= {host for host in run.state.inventory if host.name in odd}
    return odd


@contextmanager
def looking(inventory_name: str, here: str = "") -> Iterator[tuple[State, dict[str, str]]]:
    """The hosts that answer, and why each other one did not. Nothing is declared: it needs the inventory alone.

    + here: the only host that is looked at, which this process runs on
    """
    install()
    state = state_of(read_inventory(find_inventory(inventory_name)), [here] if here else [], here)
    unreachable: dict[str, str] = {}
    with ctx_inventory.use(state.inventory), ctx_state.use(state):
        try:
            try:
                connect_all(state)
            except HostUnreachable as error:
                unreachable = error.hosts
            state.set_stage(StateStage.Prepare)
            yield state, unreachable
        finally:
            disconnect_all(state)


def real_run(declared: Run, inventory: Any, limit: list[str], events: Events, here: str = "") -> Run:
    """The run that connects, from the one that was declared."""
    run = attach(declared, state_of(inventory, limit, here), events)
    run.limit = tuple(limit)
    return run


def state_of(inventory: Any, limit: list[str], here: str = "") -> State:
    """A state of pyinfra over these hosts, ready to connect.

    + here: the host that this process runs on
    """
    reached_from_here(with_connector(inventory, Connection), here)
    state, config = State(check_for_changes=True), Config()
    config.CONNECT_TIMEOUT = CONNECT_SECONDS
    ctx_config.set(config)
    state.init(inventory, config, initial_limit=select(inventory, limit) if limit else None)
    state.cwd = str(project_root())
    state.set_stage(StateStage.Connect)
    return state


def attach(declared: Run, state: State, events: Events) -> Run:
    """Gives a pyinfra state its run: the fleet, the application and the release that were declared."""
    run = Run(state, declared.fleet, declared.secrets, declared.stack, declared.release, events=events)
    run.stages = list(declared.stages)
    run.validated, run.reconcile = declared.applied, declared.reconcile
    run.alone = declared.alone
    run.recalled, run.entry, run.templates = declared.recalled, declared.entry, declared.templates
    return bind(run)


def deploy(
    run: Run, deploy_file: Path | None = None, doing: str = "deploy", wait: float = 0, by: str = PERSON
) -> Result:
    """Locks every host of the run, reads them, brings them to what is wanted.

    Whether they are ready for it is looked at with the locks held: what another run is at is no fault of theirs.

    + wait: seconds that another run is waited for
    + by: on whose behalf: a run on a schedule yields to whoever holds a lock
    Raises LockHeld, LockFailed, PrepareFailed.
    """
    with _locked(run, doing, wait, by) as lock:
        _undo_unconfirmed(run, lock)
        for look in run.preconditions:
            look()
        stop_at_errors(run)
        prepare(run, deploy_file or project_root() / "deploy.py")
        if run.leaves_out:
            run.leaves_out(run)
        return _executed(run, lock)


def execute(run: Run, doing: str = "deploy") -> Result:
    """The same for a run that is prepared already: facts are read again before each change."""
    with _locked(run, doing) as lock:
        _undo_unconfirmed(run, lock)
        for look in run.preconditions:
            look()
        stop_at_errors(run)
        return _executed(run, lock)


def _undo_unconfirmed(run: Run, lock: FleetLock) -> None:
    hosts = run.state.inventory.get_active_hosts()
    undo_unconfirmed(hosts, lock.begun, lambda line: run.events.tell("note", what=line))


NO_ROOM = ("No space left", "Read-only file system", "full, or read-only")
"""Words of a host that cannot write down that it is locked: how much is missing is the preflight's to say."""


@contextmanager
def _locked(run: Run, doing: str, wait: float = 0, by: str = PERSON) -> Iterator[FleetLock]:
    hosts = run.state.inventory.get_active_hosts()
    claim = Claim(audit.entry(run, doing, (host.name for host in hosts)), wait, by, looks_first=True)
    try:
        with locked(hosts, claim, lambda line: run.events.tell("note", what=line)) as lock:
            renew_answers(hosts)  # another run may have been here until now
            yield lock
    except LockFailed as error:
        if any(words in str(error) for words in NO_ROOM) and (why := what_stops(run)):
            raise NotReady(f"{error}\n{why}") from error
        raise


def _executed(run: Run, lock: FleetLock) -> Result:
    executor = Executor(run, lock)
    if not pending(run):  # nothing comes between now and what is looked at at the end
        ready_to_prove(run.state.inventory.get_active_hosts())
    lock.begun()
    try:
        result = executor.execute()
    except (SystemExit, KeyboardInterrupt) as error:
        for line in executor.not_done():
            error.add_note(line)
        raise
    _look_again(run, result)
    lock.ended(*result.ending)
    return result


def _look_again(run: Run, result: Result) -> None:
    """What has failed may have failed at what has become of its host meanwhile."""
    for name, what in found_since(run, [name for name, host in result.hosts.items() if host.error]):
        result.hosts[name].error += f"\nfound there now: {what}"
