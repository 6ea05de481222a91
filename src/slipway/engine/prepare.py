"""Preparing: every connected host is asked what it has, and every operation says whether it would change it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gevent
from pyinfra.api.exceptions import PyinfraError
from pyinfra.api.host import Host
from pyinfra.context import ctx_config, ctx_host, ctx_state
from pyinfra_cli.exceptions import UnexpectedExternalError
from pyinfra_cli.util import exec_file

from slipway.engine.broken import problems_in
from slipway.engine.journal import Standing, StandingFact
from slipway.engine.run import PLAIN, Run, Stage
from slipway.facts.machine import MachineFact
from slipway.report import Change, changes_of
from slipway.rollout import Canary
from slipway.seam.hosts import all_is_asked


class PrepareFailed(Exception):
    """At least one host could not be read. Nothing was changed anywhere."""


def prepare(run: Run, deploy_file: Path) -> None:
    """Runs the deploy file for every active host, all at once. Raises PrepareFailed naming each that failed."""
    errors = prepare_each(run, deploy_file, stops=True)
    if errors:
        told = "\n".join(f"  {name}: {why}" for name, why in errors.items())
        raise PrepareFailed(f"could not tell what these hosts have, nothing was changed anywhere:\n{told}")


def prepare_each(run: Run, deploy_file: Path, stops: bool = False) -> dict[str, str]:
    """The same; returns why which host could not be read. Such a host is left out, unless one is enough to stop."""
    run.state.current_deploy_filename = str(deploy_file)
    hosts = run.state.inventory.get_active_hosts()
    errors = _on_each(run, hosts, lambda host: ask_first(run, host))
    if errors and stops:
        return errors
    decide_canary(run)
    hosts = [host for host in hosts if host.name not in errors]
    errors |= _on_each(run, hosts, lambda host: _prepare_host(run, deploy_file, host))
    for host in hosts:
        if host.name not in errors:
            _claim_the_rest(run, host)
    all_is_asked(hosts)
    return errors


def _on_each(run: Run, hosts: Sequence[Host], job: Callable[[Host], str]) -> dict[str, str]:
    """Does it for all of them at once. Host name to why it could not be done, where so."""
    jobs = {host: run.state.pool.spawn(job, host) for host in hosts}
    gevent.joinall(list(jobs.values()), raise_error=True)
    return {host.name: jobs[host].value for host in hosts if jobs[host].value}


def ask_first(run: Run, host: Host) -> str:
    """What the host is made of, and how it stands: what it is to get depends on it."""
    try:
        run.machines[host.name] = host.get_fact(MachineFact)
        run.standing[host.name] = host.get_fact(StandingFact) if run.stack else Standing()
    except (PyinfraError, OSError) as error:
        return str(error)
    return ""


def decide_canary(run: Run) -> None:
    """A release that comes by shares does so where another one serves; the first one comes whole.

    Raises PrepareFailed where another release is on its way by shares.
    """
    under_way = next(
        (each.journal for each in run.standing.values() if each.journal and each.journal.state == "canary"), None
    )
    if under_way and run.release and under_way.release != run.release.id:
        inventory = run.fleet.inventory
        raise PrepareFailed(
            f"release {under_way.release} shares the sessions with the one before since {under_way.since} "
            f"({under_way.who}); nothing was changed\n"
            f"  HINT: slipway canary {inventory} promote, or slipway canary {inventory} abort, and deploy then"
        )
    wanted = run.stack.canary if run.stack else None
    if wanted is None or run.release is None or run.is_rollback or run.brings_whole:
        return
    others = {standing.current for standing in run.standing.values() if standing.current}
    if any(not each.startswith(run.release.id) for each in others):
        run.canary = Canary(run.release.id, wanted.weight, wanted.by, wanted.header or "")


def read_machines(run: Run) -> dict[str, str]:
    """Asks every active host what it is made of, all at once. Host name to why it could not be told, where so."""
    return _on_each(run, run.state.inventory.get_active_hosts(), lambda host: _read_machine(run, host))


def _read_machine(run: Run, host: Host) -> str:
    try:
        run.machines[host.name] = host.get_fact(MachineFact)
    except (PyinfraError, OSError) as error:
        return str(error)
    return ""


def _prepare_host(run: Run, deploy_file: Path, host: Host) -> str:
    """Empty where it went well; else why not."""
    with ctx_state.use(run.state), ctx_config.use(run.state.config.copy()), ctx_host.use(host):
        try:
            exec_file(str(deploy_file))
        except UnexpectedExternalError as error:
            return _told(error)
        except (PyinfraError, OSError) as error:
            return str(error)
    return ""


def _told(error: Any) -> str:
    return "\n".join(str(problem) for problem in problems_in(error))


def _claim_the_rest(run: Run, host: Host) -> None:
    """Operations that deploy.py calls outside of any stage run after the stages above them, in lock-step."""
    claimed = {
        identity: number
        for number, stage in enumerate(run.stages)
        if stage.kind != PLAIN
        for identity in run.operations_of(stage, host)
    }
    after = -1
    for identity in host.op_hash_order:
        after = claimed.get(identity, after)
        if identity not in claimed:
            run.claim(_plain_stage(run, after), host, [identity])


def _plain_stage(run: Run, after: int) -> Stage:
    name = f"Operations of deploy.py after {run.stages[after].name!r}" if after >= 0 else "Operations of deploy.py"
    for stage in run.stages:
        if stage.name == name:
            return stage
    stage = Stage(PLAIN, name)
    run.stages.append(stage)
    run.plain_after[name] = after
    return stage


def pending(run: Run) -> dict[str, list[tuple[str, list[Change]]]]:
    """Host name to (operation name, its changes), for every operation that would change something."""
    found: dict[str, list[tuple[str, list[Change]]]] = {}
    for host in run.state.inventory.get_active_hosts():
        for identity in host.op_hash_order:
            if run.state.ops[host][identity].operation_meta._maybe_is_change:
                found.setdefault(host.name, []).append((name_of(run, identity), changes_of(host).get(identity, [])))
    return found


def name_of(run: Run, identity: str) -> str:
    """The operation's name as a person reads it: role and what it does."""
    return sorted(run.state.op_meta[identity].names)[0].replace(" | ", ": ", 1)


def role_and_name(run: Run, identity: str) -> tuple[str, str]:
    """The key of the role that an operation belongs to, empty for none; and its name."""
    role, found, name = name_of(run, identity).partition(": ")
    keys = {each.name: each.key for stage in run.stages for _, each in stage.roles}
    return (keys[role], name) if found and role in keys else ("", name_of(run, identity))
