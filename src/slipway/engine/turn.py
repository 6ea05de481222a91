"""One host within a stage: what its operation in hand takes out of service, whether it may, and giving it all back."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from pyinfra.api.host import Host

from slipway.disruption import Disruption, Left, NotNow, TurnNeeded, handle_disruptions
from slipway.engine.run import Stage
from slipway.pull import LeaseOver
from slipway.remote import Remote, RemoteFailed
from slipway.rollout import DRAIN_REASON, Edges, Load, Step
from slipway.seam.hosts import begun_by, forget_answers

if TYPE_CHECKING:
    from slipway.engine.execute import Executor
    from slipway.pull.lease import Lease

LEASE_MARGIN = 30
"""Seconds that a drain's lease holds beyond what the commands may take: connecting, and a busy controller."""


class HostTurn:
    """Moves a host's requests away before an operation that takes it out of service, and back afterwards."""

    def __init__(self, executor: Executor, stage: Stage, host: Host, edges: Edges) -> None:
        self._executor, self._run, self._stage, self.host, self._edges = executor, executor.run, stage, host, edges
        self.may_disrupt, self.batch = False, 0
        self.deadline = math.inf
        """When its batch should have been done, by a clock that nobody sets."""
        self._in_hand: list[Disruption] = []
        self._drained: list[str] = []
        self.disrupted = False
        """Whether anything was taken out of service here."""
        self.went_back = False
        """Whether there was anything to go back to."""
        self.released_at = 0.0
        """When the operation in hand could last go on; its commands begin then."""
        self.leaves = ""
        """Why what needs a turn is left, where there is no turn to be had."""
        self.lease: Lease | None = None
        """What a host that converges itself has its turn by."""
        handle_disruptions(host, self._before)

    def _before(self, disruption: Disruption) -> None:
        """Called within the operation, before its first command."""
        if self._run.alone and (why := self._run.alone.why_left(self._stage, disruption)):
            raise Left(why)
        if disruption.needs_turn and self.leaves:
            raise Left(self.leaves)
        if disruption.needs_turn and not self.may_disrupt:
            raise TurnNeeded
        if time.monotonic() > self.deadline:
            raise NotNow(f"{self.host.name}: its batch is not done within its progress deadline; no more was begun")
        self._timed("gate", disruption.subject, lambda: self._gate(disruption))
        if disruption.admit_first:
            self._edges.admit(disruption.admit_first)
        if disruption.drain:
            self._drained += disruption.drain
            self._timed("drain", disruption.subject, lambda: self._drain(disruption))
        self._fence(disruption)
        self._in_hand.append(disruption)
        self.released_at = time.monotonic()
        self.disrupted = self.disrupted or disruption.needs_turn

    def _fence(self, disruption: Disruption) -> None:
        """Its commands begin under the lease or not at all, whatever becomes of us in between. Raises Left."""
        if self.lease is None or not disruption.needs_turn:
            return
        try:
            self.lease.hold(disruption.seconds)
        except LeaseOver as error:
            raise Left(str(error)) from error
        begun_by(self.host, partial(self.lease.begun_by, disruption.seconds))

    def _drain(self, disruption: Disruption) -> None:
        lease = disruption.drain_seconds + disruption.seconds + LEASE_MARGIN
        self._edges.drain(disruption.drain, disruption.drain_seconds, lease, f"{DRAIN_REASON}{disruption.subject}")

    def _gate(self, disruption: Disruption) -> None:
        if alone := self._edges.nobody_else(disruption.drain):
            told = ", ".join(alone)
            raise NotNow(
                f"{self.host.name} cannot be changed now; it was left as it is: everybody else for {told} is out"
            )
        rolling = next((role.rolling for _, role in self._stage.roles if role.rolling), None)
        if rolling is None:
            return
        load = Load(disruption.takes, disruption.adds_replicas, disruption.adds_memory, disruption.needs_ports)
        why = rolling.gate(self._remotes(), self.host.name, load, self._run.context(self.host))
        if why:
            told = f"{self.host.name} cannot be changed now; it was left as it is:\n" + "\n".join(why)
            # A host alone cannot see how the others are: who can is a controller.
            raise Left(told) if self._run.alone else NotNow(told)

    def _remotes(self) -> Mapping[str, Remote]:
        """Every host of the run, to be asked anew."""
        hosts = self._run.state.inventory.get_active_hosts()
        forget_answers(hosts)
        return {host.name: Remote(host) for host in hosts}

    def after(self) -> None:
        """Called after an operation that went well: what it brought gets requests, what it took away is forgotten.

        Raises RemoteFailed where an edge could not be told.
        """
        for disruption in self._in_hand:
            if disruption.canary:
                self._edges.share(sorted({peer.upstream for peer in disruption.admit}), disruption.canary)
            if disruption.admit:
                self._timed("admit", disruption.subject, partial(self._edges.admit, disruption.admit))
            self._edges.dismiss(disruption.dismiss)
            self._give_back(disruption.drain)
        self._in_hand = []
        begun_by(self.host, None)

    def _give_back(self, targets: tuple[str, ...]) -> None:
        self._edges.restore(targets)
        self._drained = [target for target in self._drained if target not in targets]

    def go_back(self) -> str:
        """What this host served before the stage serves again. Empty where it does; else why not."""
        self._in_hand = []
        rolling = next((role.rolling for _, role in self._stage.roles if role.rolling), None)
        if rolling is None:
            return ""
        try:
            began = time.monotonic()
            steps = rolling.back(Remote(self.host), self._run.context(self.host), self._edges)
            for step in steps:
                self.tell(step)
            self.went_back = bool(steps)
            self.tell(Step("back", "", began, time.monotonic() - began))
        except RemoteFailed as error:
            return f"could not be brought back to what it ran before: {error}"
        return ""

    def end(self) -> str:
        """Whatever happened, no edge is left with anything of this host drained. Empty, or what could not be done."""
        handle_disruptions(self.host, None)
        begun_by(self.host, None)
        try:
            self._give_back(tuple(self._drained))
        except RemoteFailed as error:
            return f"could not be taken back into the traffic: {error}"
        return ""

    def _timed(self, what: str, subject: str, action: Callable[[], object]) -> None:
        began = time.monotonic()
        try:
            action()
        finally:
            self.tell(Step(what, subject, began, time.monotonic() - began))

    def tell(self, step: Step) -> None:
        self._executor.note_step(self._stage, self.host, step, self.batch)
