"""A host that converges itself: what it may do without a controller, and its turn by a lease."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from pyinfra.api.host import Host

from slipway.disruption import Disruption
from slipway.engine.roll import Roll
from slipway.engine.run import Run, Stage
from slipway.fleet import Fleet
from slipway.pull import NoTurn
from slipway.pull.place import Place, place_of
from slipway.rollout import RollPolicy
from slipway.who import now

if TYPE_CHECKING:
    from slipway.pull.lease import Lease, Leases


NO_REDIS = "the inventory names no Redis to take turns by: reconcile.leases, or one in the Compose file"


@dataclass(frozen=True)
class Alone:
    """One host of an inventory, which this process runs on."""

    host: str
    fleet: Fleet
    place: Place | None
    """Where the leases are; None where there is no such place."""
    change: str
    """What tells what it brings from what was brought before: the commit, and a hash over every host's data."""
    wait: float
    """Seconds that it waits for its turn."""

    @cached_property
    def leases(self) -> Leases:
        """Raises NoTurn where there is no place for them."""
        if self.place is None:
            raise NoTurn(NO_REDIS)
        from slipway.pull.lease import Leases  # whoever needs no turn does not pay for the library

        return Leases(self.place, self.fleet.inventory)

    def why_left(self, stage: Stage, disruption: Disruption) -> str:
        """Why a host alone cannot do this whoever's turn it is; empty where it can. Pure."""
        if disruption.is_confirmed:
            return "a way in that is changed counts once a log-in from outside has confirmed it: slipway deploy"
        edges = [member.name for group in stage.through for member in self.fleet.group(group)]
        if edges and _moves_requests(disruption):
            told = ", ".join(edges)
            return f"requests come through {told}, which only a push tells to send them elsewhere: slipway deploy"
        return ""

    @contextmanager
    def turn(self, stage: str, policy: RollPolicy) -> Iterator[Lease]:
        """Its turn in a stage, within it: so many hosts at a time as the policy says. Raises NoTurn."""
        slots = policy.parallelism or len(self.fleet.members)
        with self.leases.held(stage, slots, self.wait) as lease:
            if policy.failure_action != "continue":
                self.leases.refuse_marked(self.host, stage, self.change)
            yield lease

    def is_well(self) -> None:
        """Nothing that failed here is wrong any more."""
        if self.place is not None:
            self.leases.unmark(self.host)


def alone_of(project: Run, host: str, commit: str) -> Alone:
    """The host of that name, of a project that was declared. Raises BadInput, SecretMissing."""
    leases = project.reconcile.leases
    place = place_of(leases, project.fleet, project.stack, project.secrets)
    return Alone(host, project.fleet, place, f"{commit} {_digest(project)}".strip(), leases.wait)


def _digest(project: Run) -> str:
    """Of what the roles are to bring: secrets stand in it by name. Another one where anybody's data is another."""
    found = {name: [(role.name, data.model_dump_json()) for role, data in its] for name, its in project.applied.items()}
    return hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()[:12]


def _moves_requests(disruption: Disruption) -> bool:
    return bool(
        disruption.drain or disruption.admit_first or disruption.admit or disruption.dismiss or disruption.canary
    )


class RollAlone(Roll):
    """A stage on this host only. What takes something out of service waits for the host's lease."""

    def _in_turns(self, waiting: list[Host]) -> bool:
        host, alone = waiting[0], self._run.alone
        if alone is None:
            return super()._in_turns(waiting)
        self._say(waiting, "waits for its turn")
        try:
            with alone.turn(self._stage.name, self._policy) as lease:
                self._turns[host].lease = lease
                ok = super()._in_turns(waiting)
                self._note(alone, host, ok)
                return ok
        except NoTurn as error:
            self._turns[host].leaves = str(error)
            return self._without_a_turn(waiting)

    def _note(self, alone: Alone, host: Host, ok: bool) -> None:
        """While nobody else has the turn: what has failed here goes no further; what went well may."""
        from slipway.pull.lease import Mark

        if ok:
            alone.leases.unmark(host.name)
        elif self._turns[host].disrupted and (
            why := alone.leases.mark(Mark(host.name, self._stage.name, alone.change, now()))
        ):
            self._executor.note_failure(self._stage, host, why)

    def _without_a_turn(self, waiting: Sequence[Host]) -> bool:
        """Everything that needs none."""
        outcomes = self._go_on(waiting)
        for host in waiting:
            self._end(host)
        return self._executor.fail([host for host in waiting if outcomes[host]])
