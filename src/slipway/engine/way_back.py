"""The way back of a rollout whose controller is gone: every host serves what it served before it began."""

from __future__ import annotations

from collections.abc import Sequence

from pyinfra.api.host import Host

from slipway.engine import audit, journal
from slipway.engine.execute import Executor, Result
from slipway.engine.lock import Claim, FleetLock, locked
from slipway.engine.roll import Roll
from slipway.engine.run import ROLL, Run
from slipway.remote import Remote


def go_back(run: Run, wait: float = 0) -> Result:
    """Takes back what was moved and not yet sealed, on every host, the last one of the journal first.

    Raises LockHeld where somebody is at work for longer than `wait` seconds, LockFailed. Hosts on which nothing was
    replaced are not touched.
    """
    hosts = run.state.inventory.get_active_hosts()
    claim = Claim(audit.entry(run, "abort", (host.name for host in hosts)), wait)
    with locked(hosts, claim, lambda line: run.events.tell("note", what=line)) as lock:
        result = _taken_back(run, hosts, lock)
        lock.ended(*result.ending)
    return result


def _taken_back(run: Run, hosts: Sequence[Host], lock: FleetLock) -> Result:
    executor = Executor(run, lock)
    run.state.is_executing = True
    for stage in (stage for stage in run.stages if stage.kind == ROLL):
        mine = [host for host in hosts if stage.roles_for(host.groups)]
        if mine and not Roll(executor, stage, mine).take_all_back():
            executor.result.stopped_in = stage.name
            return executor.result
    journal.give_up(Remote(host) for host in hosts)
    return executor.result
