"""Executing: stage by stage; a host's failure is its own, and the stage that it happens in is the last."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import gevent
from pyinfra.api.host import Host
from pyinfra.api.state import StateStage
from pyinfra.context import ctx_state

from slipway.disruption import Left, TurnNeeded
from slipway.engine.leaving import Leaving
from slipway.engine.lock import FleetLock
from slipway.engine.prepare import name_of
from slipway.engine.run import PLAIN, Run, Stage
from slipway.engine.turn import HostTurn
from slipway.remote import RemoteFailed
from slipway.rollout import Step
from slipway.seam.errors import LockLost
from slipway.seam.hosts import changes_on, doubt_answers, renew_answers
from slipway.seam.operations import run_operation
from slipway.seam.write_ahead import MOST, is_settled
from slipway.steps import is_told, steps_in


@dataclass
class HostResult:
    """What became of one host."""

    changed: int = 0
    unchanged: int = 0
    error: str = ""
    """What failed, and why; empty where nothing did."""
    seconds: float = 0.0
    left: dict[tuple[str, str], str] = field(default_factory=dict)
    """(role, operation) to why a host that converges itself did not do it."""


@dataclass
class Result:
    """What became of a run."""

    hosts: dict[str, HostResult] = field(default_factory=dict)
    stopped_in: str = ""
    """The stage in which it stopped; empty where it went through."""
    untouched: tuple[str, ...] = ()
    """Hosts that the stopped stage did not reach."""
    taken_back: tuple[str, ...] = ()
    """Hosts that had moved and went back to what they ran before."""
    absent: dict[str, str] = field(default_factory=dict)
    """Hosts that did not answer and that the run went on without, and why."""
    aborted: str = ""
    """Who has asked for the way back; empty where nobody did."""

    @property
    def is_ok(self) -> bool:
        return not self.stopped_in and not self.absent

    @property
    def changed(self) -> int:
        return sum(host.changed for host in self.hosts.values())

    @property
    def ending(self) -> tuple[int, str]:
        """The exit code, and how it ended in a sentence that holds nothing that a host has said."""
        if self.is_ok:
            return 0, f"{self.changed} changes" if self.changed else "no changes"
        failed = [name for name, host in self.hosts.items() if host.error]
        parts = [
            f"stopped in {self.stopped_in!r}" if self.stopped_in else "",
            f"failed on {', '.join(failed)}" if failed else "",
            f"without {', '.join(self.absent)}" if self.absent else "",
            self.aborted,
        ]
        return 1, "; ".join(part for part in parts if part)


INTERRUPTED = (
    "Interrupted: no further step is begun. A command in hand goes on to its end, or its time limit, on its host; the "
    "next run waits for it. Run again to finish."
)
MOST_TOLD = 5
"""Steps of one host that are named where a run was interrupted."""

DONE, WAITS, FAILED = "", "waits", "failed"
"""What becomes of a host within a stage."""


class Executor:
    """Runs the prepared operations of a run."""

    def __init__(self, run: Run, lock: FleetLock) -> None:
        self.run, self._lock = run, lock
        self._next: dict[tuple[str, str], int] = {}
        """(stage, host) to the number of its operations that are done."""
        self.steps: dict[str, list[Step]] = {}
        self._leaving = Leaving(run)
        hosts = run.state.inventory.get_active_hosts()
        self.result = Result({host.name: HostResult() for host in hosts}, absent=run.absent)
        self._trusted_at: tuple[int | None, int] = (changes_on(run.state.inventory), 0)
        """Changes so far, by the hosts' count and by ours, as the answers that are known were given."""

    def execute(self) -> Result:
        """Every stage in order, until one fails."""
        self.run.state.set_stage(StateStage.Execute)
        self.run.state.is_executing = True
        with ctx_state.use(self.run.state):
            for stage in self.run.in_order():
                hosts = self.run.hosts_of(stage)
                if hosts and self._leaving.is_for_a_push(stage, hosts):
                    continue
                if hosts and not self._stage(stage, hosts):
                    self.result.stopped_in = stage.name
                    break
        for name, left in self._leaving.left.items():
            self.result.hosts[name].left = left
        return self.result

    def _stage(self, stage: Stage, hosts: list[Host]) -> bool:
        self._doubt_what_was_said_before_a_change()
        self.run.events.tell("stage-start", stage=stage.name, details={"hosts": [host.name for host in hosts]})
        started = time.monotonic()
        ok = self._in_lock_step(stage, hosts) if stage.kind == PLAIN else self._in_turns(stage, hosts)
        outcome = "" if ok else "failed"
        self.run.events.tell("stage-end", stage=stage.name, outcome=outcome, seconds=time.monotonic() - started)
        return ok

    def _doubt_what_was_said_before_a_change(self) -> None:
        """A change on one host may change what others answer: of what more than a host itself has a part in, no stage
        trusts what was said before a change in another."""
        now = (changes_on(self.run.state.inventory), self.result.changed)
        if now[0] is None or (now[0] == self._trusted_at[0] and now != self._trusted_at):
            renew_answers(self.run.state.inventory)  # something was changed past all connections that count
        elif now != self._trusted_at:
            doubt_answers(self.run.state.inventory)
        self._trusted_at = now

    def fail(self, hosts: Iterable[Host]) -> bool:
        """Marks hosts as failed; True where there are none."""
        failed = set(hosts)
        self.run.state.failed_hosts |= failed
        self.run.state.active_hosts -= failed
        return not failed

    def host(self, stage: Stage, host: Host, turn: HostTurn) -> str:
        """Goes on with this stage's operations on one host, in order, up to the first that fails or needs its turn."""
        key, started = (stage.name, host.name), time.monotonic()
        identities = self.run.operations_of(stage, host)
        self.run.events.tell("host-start", stage=stage.name, host=host.name)
        outcome = DONE
        try:
            while outcome == DONE and self._next.get(key, 0) < len(identities):
                number = self._next.get(key, 0)
                outcome = self._one(stage, host, identities[number : number + MOST], turn)
                self._next[key] = number + (outcome == DONE)
        except TurnNeeded:
            outcome = WAITS
        took = time.monotonic() - started
        self.run.events.tell("host-end", stage=stage.name, host=host.name, outcome=outcome, seconds=took)
        return outcome

    def _one(self, stage: Stage, host: Host, identities: Sequence[str], turn: HostTurn) -> str:
        """The first of these; the others are to follow it."""
        identity, *behind = identities
        if self._leaving.is_behind(stage, host, identity):
            return DONE
        if not self.operation(stage, host, identity, turn, behind):
            return FAILED
        try:
            turn.after()
        except RemoteFailed as error:
            self.note_failure(stage, host, f"{name_of(self.run, identity)}: {error}")
            return FAILED
        return DONE

    def operation(
        self, stage: Stage, host: Host, identity: str, turn: HostTurn | None = None, behind: Sequence[str] = ()
    ) -> bool:
        """One operation on one host. No change is begun without the lock. Raises TurnNeeded, with nothing changed.

        + behind: what this host gets next; files among it may go up along with this one
        """
        started, name = time.monotonic(), name_of(self.run, identity)
        self.run.events.tell("operation-start", stage=stage.name, host=host.name, what=name)
        try:
            if not is_settled(host, identity):
                self._lock.check()
            ok = run_operation(self.run.state, host, identity, behind)
        except Left as error:
            self._leaving.leave(stage, host, identity, str(error))
            return True
        except LockLost as error:
            ok = False
            host.connector_data.setdefault("slipway_errors", {})[identity] = str(error)
        outcome = self._count(host, identity, name, ok)
        took = time.monotonic() - started
        self.result.hosts[host.name].seconds += took
        # Its commands began when its requests had gone elsewhere.
        sent = max(started, turn.released_at) if turn else started
        for step in steps_in(self._lines(host, identity), sent):
            self.note_step(stage, host, step, turn.batch if turn else 0)
        self.run.events.tell("operation", stage=stage.name, host=host.name, what=name, outcome=outcome, seconds=took)
        return ok

    def not_done(self) -> list[str]:
        """For each host, what was found to be changed and is not; a step that is in hand too."""
        told = []
        for name, host in ((host.name, host) for host in self.run.state.inventory.get_active_hosts()):
            found = [(identity, self.run.state.ops[host][identity].operation_meta) for identity in host.op_hash_order]
            left = [name_of(self.run, each) for each, meta in found if meta._maybe_is_change and not meta.is_complete()]
            more = f" and {len(left) - MOST_TOLD} more" if len(left) > MOST_TOLD else ""
            told += [f"{name}: not done: {', '.join(left[:MOST_TOLD])}{more}"] if left else []
        return told

    def note_step(self, stage: Stage, host: Host, step: Step, batch: int = 0) -> None:
        """Something that took its time: for the timeline, and for what of a batch's time was our own."""
        self.steps.setdefault(host.name, []).append(step)
        self.run.events.step(stage.name, host.name, step, **({"batch": batch} if batch else {}))

    def note_failure(self, stage: Stage, host: Host, why: str) -> None:
        """Adds to what failed on a host, and tells it."""
        result = self.result.hosts[host.name]
        result.error = "\n".join(part for part in (result.error, why) if part)
        self.run.events.tell("failure", stage=stage.name, host=host.name, what=why)

    def _lines(self, host: Host, identity: str) -> list[str]:
        output = self.run.state.ops[host][identity].operation_meta._combined_output
        return output.output_lines if output else []

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
        said = [line for line in self._lines(host, identity) if not is_told(line)]
        return "\n".join(said[-25:]) or "failed without a word"

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

    def _in_turns(self, stage: Stage, hosts: Sequence[Host]) -> bool:
        from slipway.engine.roll import Roll

        if self.run.alone:
            from slipway.engine.alone import RollAlone

            return RollAlone(self, stage, list(hosts)).run()
        return Roll(self, stage, list(hosts)).run()
