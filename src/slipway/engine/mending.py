"""Mending what a comparison has found: a run like any deploy, without what is to be left alone, that gives way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Protocol

from pyinfra.api.host import Host

from slipway.engine.alone import Alone
from slipway.engine.asked import Beforehand, ask_again
from slipway.engine.comparing import Compared, pending_in
from slipway.engine.events import Events
from slipway.engine.execute import Result
from slipway.engine.from_record import connected_to_release
from slipway.engine.lock import SCHEDULE, GivenWay
from slipway.engine.prepare import PrepareFailed, role_and_name
from slipway.engine.run import Run
from slipway.engine.session import connected, deploy
from slipway.reconcile.kinds import Case, Looked, Pending, differences, may_run
from slipway.reconcile.result import Difference


class Watching(Protocol):
    """Who is told of a run that mends."""

    @property
    def events(self) -> Events: ...

    def begin(self, run: Run, what: str) -> None:
        """It is connected and about to take the locks."""

    def end(self, result: Result, run: Run) -> object:
        """What became of it."""


@dataclass
class Mending:
    """One run that mends hosts: those whose record is the one that it brings, or all."""

    inventory: str
    before: Beforehand
    compared: Compared
    hosts: frozenset[str]
    """Whose differences it may touch."""
    brings_all: bool = False
    """Whether it brings what the repository wants, too."""
    release: str = ""
    """Id on record of what it brings; empty for what the repository says."""
    alone: Alone | None = None
    """The host that mends itself; None where a controller mends them."""
    cases: Mapping[str, Case] = field(default_factory=dict)

    def run(self, watching: Watching, doing: str) -> Result:
        """Raises GivenWay and LockHeld where somebody is, or has been, at work; and whatever a deploy raises."""
        with self._connected(watching.events) as run:
            run.alone = self.alone
            run.preconditions.insert(0, lambda: self._look_again(run))
            run.leaves_out = self._leave_out
            watching.begin(run, "reconcile")
            result = deploy(run, doing=doing, by=SCHEDULE)
            watching.end(result, run)
            return result

    @contextmanager
    def _connected(self, events: Events) -> Iterator[Run]:
        here = self.alone.host if self.alone else ""
        if self.release:
            with connected_to_release(self.inventory, self.release, events, is_rollback=False, here=here) as run:
                yield run
        else:
            with connected(self.inventory, [here] if here else (), events, here=here) as run:
                yield run

    def _look_again(self, run: Run) -> None:
        """With the locks held: nobody has been here since, and what people hold now counts. Raises GivenWay."""
        now = ask_again(run.state.inventory.get_active_hosts())
        if now.errors:
            told = "; ".join(f"{name}: {why}" for name, why in now.errors.items())
            raise PrepareFailed(f"could not tell what these hosts have, nothing was changed anywhere: {told}")
        if why := now.changed_since(self.before, self.hosts):
            raise GivenWay(why)
        self.cases = {
            name: replace(case, holds=tuple(now.said[name].in_the_way.standing()))
            for name, case in self.compared.cases.items()
            if name in now.said
        }

    def _leave_out(self, run: Run) -> None:
        for host in run.state.inventory.get_active_hosts():
            run.leave_out(host, {each for each in host.op_hash_order if not self._may_run(run, host, each)})

    def _may_run(self, run: Run, host: Host, identity: str) -> bool:
        case = self.cases.get(host.name)
        if case is None or host.name not in self.hosts:
            return False
        role, _ = role_and_name(run, identity)
        if any(each.covers(role, "") for each in case.holds if each.scope != "file"):
            return False
        found = [self._judged(case, each) for each in pending_in(run, host, identity)]
        return may_run(found, self.brings_all)

    def _judged(self, case: Case, pending: Pending) -> Difference:
        """As the comparison has it; what has come up since is drift, or owed."""
        one, none = Looked((pending,)), Looked()
        # Without a record there is nothing to drift from: whatever differs is to come.
        (found,) = differences(case, one, none) if case.is_on_record else differences(case, none, one)
        alike = {
            each.kind
            for each in self.compared.differences.get(case.host, ())
            if (each.role, each.operation, each.subject) == pending.place
        }
        return replace(found, kind="intended") if found.kind == "drift" and alike == {"intended"} else found
