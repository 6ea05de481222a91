"""The rollout: batch by batch, taken out of the traffic, changed, taken back; it stops at the first bad batch."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import gevent
from pyinfra.api.host import Host

from slipway.engine.run import Stage
from slipway.remote import Remote, RemoteFailed
from slipway.rollout import batches
from slipway.seam.errors import FactFailed
from slipway.seam.hosts import forget_answers
from slipway.seam.operations import would_change

if TYPE_CHECKING:
    from slipway.engine.execute import Executor


class Roll:
    """One rollout stage over its hosts, in inventory order."""

    def __init__(self, executor: Executor, stage: Stage, hosts: Sequence[Host]) -> None:
        self._executor, self._run, self._stage, self._hosts = executor, executor.run, stage, hosts
        self._policy = stage.policy(self._run.context(hosts[0]))
        self._edges = [
            Remote(host) for host in self._run.state.inventory.get_active_hosts() if stage.edges in host.groups
        ]

    def run(self) -> bool:
        """True where every batch went well. Hosts that were not reached are in the result."""
        due = [host for host in self._hosts if self._is_due(host)]
        rounds = batches(due, self._policy.parallelism)
        for number, batch in enumerate(rounds):
            if number and self._policy.delay:
                time.sleep(self._policy.delay)
            if not self._batch(batch):
                self._executor.result.untouched = tuple(host.name for late in rounds[number + 1 :] for host in late)
                return False
        return True

    def _is_due(self, host: Host) -> bool:
        """Whether anything would change on this host, asked now: only then is it taken out of the traffic."""
        identities = self._run.operations_of(self._stage, host)
        try:
            if any(would_change(self._run.state, host, identity) for identity in identities):
                return True
        except FactFailed:
            return True  # "Could not tell" is never "no": the operation itself will say what is wrong.
        for _ in identities:
            self._executor.result.hosts[host.name].unchanged += 1
        return False

    def _batch(self, batch: Sequence[Host]) -> bool:
        jobs = [self._run.state.pool.spawn(self._host, host) for host in batch]
        gevent.joinall(jobs, raise_error=True)
        return self._executor.fail(host for host, job in zip(batch, jobs, strict=True) if not job.value)

    def _host(self, host: Host) -> bool:
        ok = False
        try:
            self._say(host, "drain")
            self._drain(host)
            forget_answers([host])  # draining takes its time, and a host does things by itself meanwhile
            ok = self._executor.host(self._stage, host)
            if not ok:
                self._back(host)
        except RemoteFailed as error:
            self._note_failure(host, str(error))
        finally:
            # Whatever happened, the edge is not left with a host drained: what serves there now gets requests again.
            ok = self._restore(host) and ok
        return ok

    def _drain(self, host: Host) -> None:
        if self._stage.traffic and self._edges:
            member = self._run.fleet.member(host.name)
            self._stage.traffic.drain(self._edges, member, self._policy.drain_seconds)

    def _restore(self, host: Host) -> bool:
        if not (self._stage.traffic and self._edges):
            return True
        try:
            self._stage.traffic.restore(self._edges, self._run.fleet.member(host.name))
        except RemoteFailed as error:
            self._note_failure(host, f"could not be taken back into the traffic: {error}")
            return False
        self._say(host, "restore")
        return True

    def _back(self, host: Host) -> None:
        """The host goes back to what it ran before."""
        if self._stage.revert is None:
            return
        self._say(host, "revert")
        try:
            self._stage.revert(Remote(host), self._run.context(host))
        except RemoteFailed as error:
            self._note_failure(host, f"could not be brought back to what it ran before: {error}")

    def _note_failure(self, host: Host, why: str) -> None:
        result = self._executor.result.hosts[host.name]
        result.error = "\n".join(part for part in (result.error, why) if part)
        self._run.events.tell("failure", stage=self._stage.name, host=host.name, what=why)

    def _say(self, host: Host, what: str) -> None:
        self._run.events.tell("note", stage=self._stage.name, host=host.name, what=what)
