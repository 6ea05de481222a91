"""Executing: stage by stage; a host's failure is its own, and the stage that it happens in is the last."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import gevent
from pyinfra.api.host import Host
from pyinfra.api.state import StateStage
from pyinfra.context import ctx_state

from slipway.engine.lock import FleetLock, LockLost
from slipway.engine.prepare import name_of
from slipway.engine.run import ONCE, PLAIN, ROLL, Run, Stage
from slipway.seam.hosts import forget_answers
from slipway.seam.operations import run_operation


@dataclass
class HostResult:
    """What became of one host."""

    changed: int = 0
    unchanged: int = 0
    error: str = ""
    """What failed, and why; empty where nothing did."""
    seconds: float = 0.0


@dataclass
class Result:
    """What became of a run."""

    hosts: dict[str, HostResult] = field(default_factory=dict)
    stopped_in: str = ""
    """The stage in which it stopped; empty where it went through."""
    untouched: tuple[str, ...] = ()
    """Hosts that the stopped stage did not reach."""

    @property
    def is_ok(self) -> bool:
        return not self.stopped_in

    @property
    def changed(self) -> int:
        return sum(host.changed for host in self.hosts.values())


class Executor:
    """Runs the prepared operations of a run."""

    def __init__(self, run: Run, lock: FleetLock) -> None:
        self.run, self._lock = run, lock
        self.result = Result({host.name: HostResult() for host in run.state.inventory.get_active_hosts()})

    def execute(self) -> Result:
        """Every stage in order, until one fails."""
        self.run.state.set_stage(StateStage.Execute)
        self.run.state.is_executing = True
        with ctx_state.use(self.run.state):
            for stage in self.run.in_order():
                hosts = self.run.hosts_of(stage)
                if hosts and not self._stage(stage, hosts):
                    self.result.stopped_in = stage.name
                    break
        return self.result

    def _stage(self, stage: Stage, hosts: list[Host]) -> bool:
        # A stage may change what other hosts answer: none trusts what was said before it.
        forget_answers(self.run.state.inventory)
        self.run.events.tell("stage-start", stage=stage.name, details={"hosts": [host.name for host in hosts]})
        started = time.monotonic()
        ok = self._kinds.get(stage.kind, Executor._all_at_once)(self, stage, hosts)
        outcome = "" if ok else "failed"
        self.run.events.tell("stage-end", stage=stage.name, outcome=outcome, seconds=time.monotonic() - started)
        return ok

    def _all_at_once(self, stage: Stage, hosts: Sequence[Host]) -> bool:
        jobs = [self.run.state.pool.spawn(self.host, stage, host) for host in hosts]
        gevent.joinall(jobs, raise_error=True)
        return self.fail(host for host, job in zip(hosts, jobs, strict=True) if not job.value)

    def fail(self, hosts: Iterable[Host]) -> bool:
        """Marks hosts as failed; True where there are none."""
        failed = set(hosts)
        self.run.state.failed_hosts |= failed
        self.run.state.active_hosts -= failed
        return not failed

    def host(self, stage: Stage, host: Host) -> bool:
        """This stage's operations on one host, in order, up to the first that fails."""
        started = time.monotonic()
        self.run.events.tell("host-start", stage=stage.name, host=host.name)
        ok = all(self.operation(stage, host, identity) for identity in self.run.operations_of(stage, host))
        took = time.monotonic() - started
        self.run.events.tell("host-end", stage=stage.name, host=host.name, outcome="" if ok else "failed", seconds=took)
        return ok

    def operation(self, stage: Stage, host: Host, identity: str) -> bool:
        """One operation on one host. No change is begun without the lock."""
        started, name = time.monotonic(), name_of(self.run, identity)
        self.run.events.tell("operation-start", stage=stage.name, host=host.name, what=name)
        try:
            self._lock.check()
            ok = run_operation(self.run.state, host, identity)
        except LockLost as error:
            ok = False
            host.connector_data.setdefault("slipway_errors", {})[identity] = str(error)
        outcome = self._count(host, identity, name, ok)
        took = time.monotonic() - started
        self.result.hosts[host.name].seconds += took
        self.run.events.tell("operation", stage=stage.name, host=host.name, what=name, outcome=outcome, seconds=took)
        return ok

    def _count(self, host: Host, identity: str, name: str, ok: bool) -> str:
        result = self.result.hosts[host.name]
        if not ok:
            result.error = f"{name}: {self._why(host, identity)}"
            return "failed"
        changed = self.run.state.ops[host][identity].operation_meta.did_change()
        result.changed += changed
        result.unchanged += not changed
        return "changed" if changed else "unchanged"

    def _why(self, host: Host, identity: str) -> str:
        noted: str | None = host.connector_data.get("slipway_errors", {}).get(identity)
        if noted:
            return noted
        operation = self.run.state.ops[host][identity].operation_meta
        output = operation._combined_output
        return "\n".join(output.output_lines[-25:]) if output and output.output_lines else "failed without a word"

    def _in_lock_step(self, stage: Stage, hosts: Sequence[Host]) -> bool:
        """Plain pyinfra operations: each on every host before the next, with `_serial`, `_parallel` and `_run_once`."""
        order = [identity for identity in self.run.state.get_op_order() if self._is_in(stage, hosts, identity)]
        return all(self._one_on_all(stage, hosts, identity) for identity in order)

    def _is_in(self, stage: Stage, hosts: Sequence[Host], identity: str) -> bool:
        return any(identity in self.run.operations_of(stage, host) for host in hosts)

    def _one_on_all(self, stage: Stage, hosts: Sequence[Host], identity: str) -> bool:
        mine = [host for host in hosts if identity in self.run.operations_of(stage, host)]
        arguments = self.run.state.op_meta[identity].global_arguments
        if self.run.state.ops[mine[0]][identity].global_arguments.get("_slipway_run_once"):
            mine = mine[:1]
        size = 1 if arguments["_serial"] else arguments["_parallel"] or len(mine)
        for start in range(0, len(mine), size):
            batch = mine[start : start + size]
            jobs = [self.run.state.pool.spawn(self.operation, stage, host, identity) for host in batch]
            gevent.joinall(jobs, raise_error=True)
            if not self.fail(host for host, job in zip(batch, jobs, strict=True) if not job.value):
                self.result.untouched = tuple(host.name for host in mine[start + size :])
                return False
        return True

    def _roll(self, stage: Stage, hosts: Sequence[Host]) -> bool:
        from slipway.engine.roll import Roll

        return Roll(self, stage, list(hosts)).run()

    _kinds: dict[str, Callable[..., bool]] = {ROLL: _roll, PLAIN: _in_lock_step, ONCE: _all_at_once}  # noqa: RUF012
