"""Comparing: every host with what was released to it, and with what the repository wants, over the same answers."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pyinfra.api import State
from pyinfra.api.host import Host

from slipway.audited import Audit
from slipway.engine.asked import Beforehand, is_superseded, last_to_bring, runs_on
from slipway.engine.declare import declare
from slipway.engine.inventory import find_inventory
from slipway.engine.prepare import prepare_each, role_and_name
from slipway.engine.run import Run
from slipway.engine.session import attach
from slipway.history import Known
from slipway.paths import project_root
from slipway.reconcile.kinds import NO_WORD, Case, Looked, Pending, differences
from slipway.reconcile.result import Difference
from slipway.recorded import recalled
from slipway.report import Change, changes_of, managed_on
from slipway.seam.again import forget_operations


@dataclass(frozen=True)
class Unfinished:
    """A run that was to bring a release and has not come to its end."""

    release: str
    """Id on record of what it was to bring."""
    since: str
    who: str
    how: str
    """How it ended, where it ended by itself or by a person; empty where it died."""
    hosts: frozenset[str] = frozenset()
    """Those that it was to bring it to."""

    @property
    def may_be_finished(self) -> bool:
        """A run that died is finished. One that failed, or that somebody stopped, waits for a person: what it was to
        bring may be what made it fail."""
        return not self.how

    @property
    def told(self) -> str:
        told = f"release {self.release}, begun {self.since} by {self.who}, did not come to its end"
        return f"{told} ({self.how}): deploy again, or roll back" if self.how else told


@dataclass(frozen=True)
class Compared:
    """What is known of a fleet after its hosts were compared."""

    differences: Mapping[str, tuple[Difference, ...]]
    """By host, of those that could tell."""
    targets: Mapping[str, str]
    """Host to the id on record of what it is to be; hosts without a record are not in it."""
    cases: Mapping[str, Case]
    unfinished: Unfinished | None = None
    errors: Mapping[str, str] = field(default_factory=dict)
    """By host."""

    def is_left_to_people(self, release: str, is_alone: bool = False) -> bool:
        """Whether a run has failed to bring this release, or was stopped at it: nobody but a person tries again.

        + is_alone: a host finishes nothing by itself that goes through the whole fleet in an order
        """
        unfinished = self.unfinished
        if unfinished is None or unfinished.release != release:
            return False
        return is_alone or not unfinished.may_be_finished


def compare(run: Run, inventory_name: str, beforehand: Beforehand) -> Compared:
    """Compares the hosts that have answered. `run` is the project's, connected and not yet prepared.

    A release that the repository wants unchanged is compared once. Raises BadInput where what is on record cannot be
    run by today's roles, PrepareFailed where a release shares the sessions with another one.
    """
    unfinished = unfinished_run(run, beforehand)
    targets = _targets(beforehand, unfinished)
    with _only(run.state, beforehand.said):
        project, errors = look(run)
        records: dict[str, Mapping[str, Looked]] = {run.entry.id if run.entry else "": project}
        for identity in dict.fromkeys(targets.values()):
            if identity not in records:
                known = beforehand.history.known[identity]
                records[identity], more = _look_at_record(run, inventory_name, known)
                errors |= more
    cases = {host: _case(run, host, beforehand, targets, unfinished) for host in beforehand.said}
    found = {
        host: differences(case, records[targets[host]][host] if host in targets else Looked(), project[host])
        for host, case in cases.items()
        if host not in errors
    }
    return Compared(found, targets, cases, unfinished, errors)


def _case(
    run: Run, host: str, beforehand: Beforehand, targets: Mapping[str, str], unfinished: Unfinished | None
) -> Case:
    target = targets.get(host)
    return Case(
        host,
        is_on_record=target is not None,
        owed_since=unfinished.since if unfinished and host in unfinished.hosts else None,
        moved=_moved_roles(run, host, beforehand.history.known[target]) if target else frozenset(),
        noise=tuple(run.reconcile.noise),
        holds=tuple(beforehand.said[host].in_the_way.standing()),
    )


def unfinished_run(run: Run, beforehand: Beforehand) -> Unfinished | None:
    """The run that has not come to its end, with how it ended by what the hosts have in their audit."""
    known = beforehand.history
    attempt = known.attempt
    if attempt is None or attempt.id not in known.known:
        return None
    hosts = [run.state.inventory.get_host(name) for name in beforehand.said]
    runs = runs_on(hosts)
    last = last_to_bring(runs, attempt.id.partition("-")[0])
    if last and is_superseded(runs, last):
        return None
    told = {name for name, each in beforehand.said.items() if attempt.id in each.records.records}
    meant = frozenset(last.hosts) if last else frozenset(told)
    is_wanted = run.entry is not None and run.entry.id == attempt.id
    how = _how(last) or ("" if meant <= told or is_wanted else "before every host had it on record")
    return Unfinished(attempt.id, attempt.when, attempt.who, how, meant)


def _how(last: Audit | None) -> str:
    return "" if last is None or last.code is None else last.ending


def _targets(beforehand: Beforehand, unfinished: Unfinished | None) -> dict[str, str]:
    """What each host is to be: what the unfinished run was to bring, else what serves."""
    found = {}
    for host, each in beforehand.said.items():
        if unfinished and host in unfinished.hosts:
            found[host] = unfinished.release
        elif each.records.current in each.records.records:
            found[host] = each.records.current
    return found


@contextmanager
def _only(state: State, names: Collection[str]) -> Iterator[None]:
    """Within it, only these hosts are active."""
    before = set(state.active_hosts)
    state.active_hosts = {host for host in before if host.name in names}
    try:
        yield
    finally:
        state.active_hosts = before


def look(run: Run) -> tuple[dict[str, Looked], dict[str, str]]:
    """What the run would change on each active host; and why which could not tell."""
    forget_operations(run.state)
    errors = prepare_each(run, project_root() / "deploy.py")
    hosts = [host for host in run.state.inventory.get_active_hosts() if host.name not in errors]
    return {host.name: looked_at(run, host) for host in hosts}, errors


def looked_at(run: Run, host: Host) -> Looked:
    """What the run, prepared, would change on one host."""
    pending = [each for identity in host.op_hash_order for each in pending_in(run, host, identity)]
    return Looked(tuple(pending), frozenset(managed_on(host)))


def pending_in(run: Run, host: Host, identity: str) -> list[Pending]:
    """What one operation would change; nothing where all is as it wants it."""
    if not run.state.ops[host][identity].operation_meta._maybe_is_change:
        return []
    role, operation = role_and_name(run, identity)
    changes = changes_of(host).get(identity) or [Change(operation, NO_WORD)]
    return [Pending(role, operation, change) for change in changes]


def _look_at_record(run: Run, inventory_name: str, known: Known) -> tuple[Mapping[str, Looked], dict[str, str]]:
    """The same for a release on record."""
    release = recalled(known.id, known.hosts)
    declared = declare(find_inventory(inventory_name), [_deploy_file()], recalled=release)
    declared.alone = run.alone
    return look(attach(declared, run.state, run.events))


def _deploy_file() -> Path:
    return project_root() / "deploy.py"


def _moved_roles(run: Run, host: str, known: Known) -> frozenset[str]:
    """Keys of roles that come as today declares them with any release, and are not what the record says."""
    if run.entry is None:
        return frozenset()
    todays: Mapping[str, Any] = run.entry.roles.get(host, {})
    recorded: Mapping[str, Any] = known.hosts.get(host, {}).get("roles", {})
    always = {role.key for stage in run.stages for _, role in stage.roles if role.of_today}
    return frozenset(key for key in always if _data(todays, key) != _data(recorded, key))


def _data(roles: Mapping[str, Any], key: str) -> Any:
    return roles.get(key, {}).get("data")
