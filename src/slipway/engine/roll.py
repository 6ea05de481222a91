"""A stage on its hosts: what takes nothing from anybody at once everywhere; the rest host by host, batch by batch."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import gevent
from pyinfra.api.host import Host

from slipway.engine import journal
from slipway.engine.execute import FAILED, WAITS
from slipway.engine.run import ROLL, Run, Stage
from slipway.engine.turn import HostTurn
from slipway.engine.word import Aborted, Word
from slipway.remote import Remote, RemoteFailed
from slipway.rollout import Edges, RollPolicy, batches
from slipway.steps import overhead
from slipway.who import now, who

if TYPE_CHECKING:
    from slipway.engine.execute import Executor


def edges_of(run: Run, stage: Stage) -> Edges:
    """The edges that requests for the stage's hosts come through."""
    for group, traffic in stage.through.items():
        hosts = [host for host in run.state.inventory.get_active_hosts() if group in host.groups]
        return Edges(traffic, tuple(Remote(host) for host in hosts))
    return Edges()


class NotWell(Exception):
    """A host that had moved is not well any more. Says what of it."""

    def __init__(self, host: Host, why: str) -> None:
        self.host = host
        super().__init__(why)


class Roll:
    """One stage over its hosts, in inventory order."""

    def __init__(self, executor: Executor, stage: Stage, hosts: Sequence[Host]) -> None:
        self._executor, self._run, self._stage, self._hosts = executor, executor.run, stage, list(hosts)
        self._edges = edges_of(executor.run, stage)
        self._turns = {host: HostTurn(executor, stage, host, self._edges) for host in hosts}
        self._policy = self._policy_of(hosts[0])
        self._batches: list[dict[str, object]] = []
        self._moved: list[Host] = []
        self._failed: list[Host] = []

    def _policy_of(self, host: Host) -> RollPolicy:
        rolling = next((role.rolling for _, role in self._stage.roles if role.rolling), None)
        return rolling.policy(self._run.context(host)) if rolling else RollPolicy()

    def run(self) -> bool:
        """True where every host went well. Hosts that were not reached are in the result."""
        waiting = self._free()
        if waiting is None:
            return False
        if waiting:
            return self._in_turns(waiting)
        # All is as wanted, so whatever an earlier run has left in the journal is done.
        return self._strike() if self._has_journal() else True

    def _free(self) -> list[Host] | None:
        """Everything that takes nothing out of service, everywhere at once. Then the hosts that wait for their turn, in
        order; None where a host failed, and nothing was taken out of service anywhere."""
        outcomes = self._go_on(self._hosts)
        waiting = [host for host in self._in_order() if outcomes[host] == WAITS]
        failed = [host for host in self._hosts if outcomes[host] == FAILED]
        for host in (*failed, *(host for host in self._hosts if not outcomes[host])):
            self._end(host)
        if self._executor.fail(failed):
            return waiting
        self._leave(waiting)
        return None

    def _go_on(self, hosts: Sequence[Host]) -> dict[Host, str]:
        jobs = {host: self._run.state.pool.spawn(self._executor.host, self._stage, host, self._turns[host])
                for host in hosts}  # fmt: skip
        gevent.joinall(list(jobs.values()), raise_error=True)
        return {host: job.value for host, job in jobs.items()}

    def _in_order(self) -> list[Host]:
        """As the inventory is written, replicas before their primary."""
        return sorted(self._hosts, key=self._turn_of)

    def _turn_of(self, host: Host) -> int:
        mine = self._stage.roles_for(host.groups)
        applied = self._run.applied.get(host.name, [])
        return max((role.turn(data, self._run.context(host)) for role, data in applied if role in mine), default=0)

    def _in_turns(self, waiting: list[Host]) -> bool:
        began, rounds = time.monotonic(), self._rounds(waiting)
        word = Word(self._run, self._stage, [Remote(host) for host in self._hosts])
        ok = False
        try:
            self._note_down(waiting)
            ok = self._batch_by_batch(rounds, word)
        except NotWell as error:
            self._moved.remove(error.host)
            self._failed.append(error.host)
            self._executor.note_failure(self._stage, error.host, str(error))
            self._go_back(error.host)
            self._end(error.host)
            reached = {*self._moved, *self._failed}
            self._stop([[host for host in waiting if host not in reached]])
        except Aborted as error:
            ok = self._abort(rounds, str(error))
        except RemoteFailed as error:
            self._executor.note_failure(self._stage, waiting[0], str(error))
        finally:
            self._tell_end(began, ok)
        return self._strike(ok) and ok

    def _rounds(self, waiting: list[Host]) -> list[list[Host]]:
        alone = 1 if self._policy.first_alone else 0
        return [*([waiting[:1]] if alone else []), *batches(waiting[alone:], self._policy.parallelism)]

    def _batch_by_batch(self, rounds: list[list[Host]], word: Word) -> bool:
        for number, batch in enumerate(rounds):
            if number:
                self._pause_between(number, batch[0], word)
            word.heed(batch[0].name)
            if not self._batch(number + 1, batch) and not self._may_go_on(rounds):
                self._stop(rounds[number + 1 :])
                return False
        return not self._failed

    def _pause_between(self, number: int, next_host: Host, word: Word) -> None:
        """The delay of the policy, and after a first host that goes alone the word that the rest may follow."""
        if number == 1 and self._policy.first_alone:
            word.wait(next_host.name, self._policy.promote_after, self._look)
        elif self._policy.delay:
            word.wait(next_host.name, self._policy.delay, self._look)

    def _look(self) -> None:
        """Whether what was moved is still well. Raises NotWell."""
        for host in self._moved:
            remote, ctx = Remote(host), self._run.context(host)
            remote.forget()
            for role, data in self._run.applied.get(host.name, []):
                bad = [each for each in (role.status(remote, data, ctx) if role.status else ()) if not each.is_well]
                if bad:
                    told = ", ".join(f"{each.name} is {each.state}" for each in bad)
                    raise NotWell(host, f"was moved and seen ready, and is not well now: {told}")

    def _batch(self, number: int, batch: Sequence[Host]) -> bool:
        began = time.monotonic()
        for host in batch:
            turn = self._turns[host]
            turn.may_disrupt, turn.batch, turn.deadline = True, number, began + self._policy.deadline
        self._say(batch, f"turn {number}")
        outcomes = self._go_on(batch)
        failed = [host for host in batch if outcomes[host]]
        for host in failed:
            self._go_back(host)
        for host in batch:
            if not self._end(host) and host not in failed:
                failed.append(host)
        self._moved += [host for host in batch if host not in failed]
        self._failed += failed
        self._note_batch(number, batch, began, failed)
        return self._executor.fail(failed)

    def _note_batch(self, number: int, batch: Sequence[Host], began: float, failed: Sequence[Host]) -> None:
        ended = time.monotonic()
        steps = [step for host in batch for step in self._executor.steps.get(host.name, [])]
        self._batches.append({
            "number": number, "hosts": [host.name for host in batch], "at": round(began - self._run.events.began, 3),
            "seconds": round(ended - began, 3), "overhead": round(overhead(steps, began, ended), 3),
            "outcome": "failed" if failed else "",
        })  # fmt: skip

    def _may_go_on(self, rounds: Sequence[Sequence[Host]]) -> bool:
        """Whether the policy lets the roll go on after a batch that failed."""
        total = sum(map(len, rounds))
        return self._policy.failure_action == "continue" or len(self._failed) / total <= self._policy.max_failure_ratio

    def _stop(self, rest: Sequence[Sequence[Host]]) -> None:
        self._leave([host for batch in rest for host in batch])
        if self._policy.failure_action == "rollback" or self._run.canary:
            self._take_back(self._moved)
        if self._run.canary:
            self._end_canary()

    def _leave(self, hosts: Sequence[Host]) -> None:
        """These hosts are not touched, and named."""
        self._executor.result.untouched = tuple(host.name for host in hosts)
        for host in hosts:
            self._end(host)

    def _take_back(self, hosts: Sequence[Host]) -> None:
        """Hosts that had moved go back, the last one first."""
        for host in reversed(list(hosts)):
            self._go_back(host)
            if self._turns[host].went_back:
                self._executor.result.taken_back += (host.name,)
            self._end(host)

    def take_all_back(self) -> bool:
        """Every host that has something to go back to does, the last one first; then no release shares sessions."""
        self._take_back(self._in_order())
        self._end_canary()
        return not any(result.error for result in self._executor.result.hosts.values())

    def _end_canary(self) -> None:
        try:
            self._edges.end_canaries()
        except RemoteFailed as error:
            self._executor.note_failure(self._stage, self._hosts[0], f"the canary's share could not be ended: {error}")

    def _go_back(self, host: Host) -> None:
        self._say([host], "revert")
        if why := self._turns[host].go_back():
            self._executor.note_failure(self._stage, host, why)

    def _abort(self, rounds: Sequence[Sequence[Host]], why: str) -> bool:
        reached = {*self._moved, *self._failed}
        rest = [host for batch in rounds for host in batch if host not in reached]
        self._leave(rest)
        self._executor.result.aborted = why
        self._take_back(self._moved)
        if self._run.canary:
            self._end_canary()
        return False

    def _end(self, host: Host) -> bool:
        """No edge is left with anything of this host drained. False, and told, where that could not be done."""
        why = self._turns[host].end()
        if why:
            self._executor.note_failure(self._stage, host, why)
        return not why

    def _has_journal(self) -> bool:
        return self._stage.kind == ROLL and any(each.journal for each in self._run.standing.values())

    def _note_down(self, waiting: Sequence[Host]) -> None:
        if self._stage.kind != ROLL:
            return
        entry = journal.Journal(
            stage=self._stage.name, before=self._run.before, release=self._run.release.id if self._run.release else "",
            who=who(), since=now(),
            hosts=tuple(host.name for host in waiting), state="canary" if self._run.canary else "rolling",
        )  # fmt: skip
        journal.write(self._remotes(), entry)

    def _strike(self, ok: bool = True) -> bool:
        """The journal is struck out; unless two releases stay side by side, which the next command is to know."""
        stays = (ok and self._run.canary) or (not ok and self._moved and not self._executor.result.taken_back)
        if self._stage.kind != ROLL or stays:
            return True
        try:
            journal.strike(self._remotes())
        except RemoteFailed as error:
            self._executor.note_failure(self._stage, self._hosts[0], str(error))
            return False
        return True

    def _remotes(self) -> list[Remote]:
        return [Remote(host) for host in self._hosts if host.connected]

    def _tell_end(self, began: float, ok: bool) -> None:
        if self._stage.kind != ROLL and not self._batches:
            return
        self._run.events.tell(
            "roll-end", stage=self._stage.name, outcome="" if ok else "failed", seconds=time.monotonic() - began,
            details={
                "batches": self._batches, "release": self._run.release.id if self._run.release else "",
                "before": self._run.before,
            },
        )  # fmt: skip

    def _say(self, hosts: Iterable[Host], what: str) -> None:
        for host in hosts:
            self._run.events.tell("note", stage=self._stage.name, host=host.name, what=what)
