"""Preparing: every connected host is asked what it has, and every operation says whether it would change it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gevent
from pyinfra.api.exceptions import PyinfraError
from pyinfra.api.host import Host
from pyinfra.context import ctx_config, ctx_host, ctx_state
from pyinfra_cli.exceptions import UnexpectedExternalError
from pyinfra_cli.util import exec_file

from slipway.engine.broken import problems_in
from slipway.engine.run import PLAIN, Run, Stage
from slipway.facts.machine import MachineFact
from slipway.report import Change, changes_of


class PrepareFailed(Exception):
    """At least one host could not be read. Nothing was changed anywhere."""


def prepare(run: Run, deploy_file: Path) -> None:
    """Runs the deploy file for every active host, all at once. Raises PrepareFailed naming each that failed."""
    run.state.current_deploy_filename = str(deploy_file)
    hosts = run.state.inventory.get_active_hosts()
    jobs = {host: run.state.pool.spawn(_prepare_host, run, deploy_file, host) for host in hosts}
    gevent.joinall(list(jobs.values()))
    errors = {host.name: jobs[host].value for host in hosts if jobs[host].value}
    if errors:
        told = "\n".join(f"  {name}: {why}" for name, why in errors.items())
        raise PrepareFailed(f"could not tell what these hosts have, nothing was changed anywhere:\n{told}")
    for host in hosts:
        _claim_the_rest(run, host)


def read_machines(run: Run) -> None:
    """Asks every active host what it is made of, all at once."""
    hosts = run.state.inventory.get_active_hosts()
    jobs = {host: run.state.pool.spawn(host.get_fact, MachineFact) for host in hosts}
    gevent.joinall(list(jobs.values()), raise_error=True)
    run.machines.update({host.name: jobs[host].value for host in hosts})


def _prepare_host(run: Run, deploy_file: Path, host: Host) -> str:
    """Empty where it went well; else why not."""
    with ctx_state.use(run.state), ctx_config.use(run.state.config.copy()), ctx_host.use(host):
        try:
            run.machines[host.name] = host.get_fact(MachineFact)
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
