"""What a host that converges itself leaves: the step that it cannot take, and what may build on it."""

from __future__ import annotations

from collections.abc import Iterable

from pyinfra.api.host import Host
from pyinfra.connectors.util import CommandOutput

from slipway.engine.prepare import role_and_name
from slipway.engine.run import ONCE, ROLL, Run, Stage

FOR_A_PUSH = "what is done once for the whole fleet is for a push: slipway deploy"
BEHIND = "it comes after a step that was left"

Place = tuple[str, str]
"""A role's key, and the operation's name."""


class Leaving:
    """Of one run. Nothing is ever left where a controller is at work."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._roles: dict[tuple[str, str], set[str]] = {}
        """(stage, host) to the roles of which something was left there."""
        self._no_further = ""
        """Why no later stage is begun: a release was not brought whole, or its schema was not."""
        self.left: dict[str, dict[Place, str]] = {}
        """Host to what would have changed something there and was left, and why."""

    def is_for_a_push(self, stage: Stage, hosts: Iterable[Host]) -> bool:
        """Leaves a stage that is done once for the fleet, and every stage after one that others build on."""
        if self._run.alone is None:
            return False
        if stage.kind == ONCE and not self._no_further:
            self._no_further = FOR_A_PUSH if self._leave_all(stage, hosts, FOR_A_PUSH) else ""
            return True
        if self._no_further:
            self._leave_all(stage, hosts, self._no_further)
        return bool(self._no_further)

    def is_behind(self, stage: Stage, host: Host, identity: str) -> bool:
        """Leaves an operation that comes after something of its role that was left, and may build on it."""
        roles = self._roles.get((stage.name, host.name), set())
        is_behind = bool(roles) and (stage.kind == ROLL or role_and_name(self._run, identity)[0] in roles)
        if is_behind:
            self._leave(host, identity, BEHIND)
        return is_behind

    def leave(self, stage: Stage, host: Host, identity: str, why: str) -> None:
        """This step, and from now on what comes after it."""
        self._leave(host, identity, why)
        role, name = role_and_name(self._run, identity)
        self._roles.setdefault((stage.name, host.name), set()).add(role)
        if stage.kind == ROLL:
            self._no_further = f"{name} was left: {why}"
        self._run.events.tell("note", stage=stage.name, host=host.name, what=f"left: {name}: {why}")

    def _leave_all(self, stage: Stage, hosts: Iterable[Host], why: str) -> bool:
        """Whether there was anything to do."""
        each = [(host, identity) for host in hosts for identity in self._run.operations_of(stage, host)]
        done = [self._leave(host, identity, why) for host, identity in each]
        return any(done)

    def _leave(self, host: Host, identity: str, why: str) -> bool:
        """Notes it where there was anything to do; whether there was."""
        meta = self._run.state.ops[host][identity].operation_meta
        if not meta.is_complete():
            meta.set_complete(True, [], CommandOutput([]))
        if meta._maybe_is_change:
            self.left.setdefault(host.name, {})[role_and_name(self._run, identity)] = why
        return bool(meta._maybe_is_change)
