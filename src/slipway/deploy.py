"""The words of deploy.py: what goes on which group, in which order."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pyinfra
from jinja2 import TemplateError, TemplateNotFound
from pydantic import ValidationError
from pyinfra.api.exceptions import ArgumentTypeError, PyinfraError
from pyinfra.api.host import Host

from slipway.engine.broken import shown
from slipway.engine.record import wanted
from slipway.engine.run import CONVERGE, ONCE, ROLL, Run, Stage, current_run, declared_data, declared_in
from slipway.problems import BadInput, Problem
from slipway.role import Role, problems_of
from slipway.rollout import Traffic
from slipway.secrets import SecretMissing

RoleLike = Role | ModuleType


Through = Mapping[str, Traffic]
"""The group of edges that requests come through, and how these are told whom to send them to."""


def converge(name: str, roles: Mapping[str, RoleLike], *, through: Through | None = None) -> None:
    """Brings these roles to the hosts of their groups, all hosts at once.

    What takes something out of service (a restart) is done on one host after the other, with its requests sent
    elsewhere meanwhile where they come through edges; it stops at the first host that does not come back.
    """
    _bring(Stage(CONVERGE, name, _roles(roles), through or {}))


def once(name: str, roles: Mapping[str, RoleLike]) -> None:
    """Brings the role to the first host of its group only, as the inventory is written."""
    _bring(Stage(ONCE, name, _roles(roles)))


def roll(name: str, roles: Mapping[str, RoleLike], *, through: Through | None = None) -> None:
    """Brings these roles batch by batch, as the policy of the first of them that has one says.

    Each is looked at whether the rest can bear it, taken out of the traffic, changed, seen ready, taken back. A batch
    that fails goes back to what it ran.
    """
    _bring(Stage(ROLL, name, _roles(roles), through or {}))


def _roles(roles: Mapping[str, RoleLike]) -> tuple[tuple[str, Role], ...]:
    """(group, role). Raises TypeError for what is no role."""
    if not isinstance(roles, Mapping):
        raise TypeError(f'a {type(roles).__name__} where {{"group": role}} belongs')
    return tuple((group, _role(group, part)) for group, part in roles.items())


def _role(group: str, part: Any) -> Role:
    role = part if isinstance(part, Role) else getattr(part, "role", None)
    if not isinstance(role, Role):
        raise TypeError(f"what {group!r} is to get is no role: a role is a module of roles/, or its `role`")
    return role


def _bring(stage: Stage) -> None:
    state, host = pyinfra.context.ctx_state.get(), pyinfra.context.ctx_host.get()
    run = current_run(state)
    stage = run.stage(stage)
    if stage.kind == ONCE and not _is_first(run, stage, host):
        return
    before = len(host.op_hash_order)
    for role in stage.roles_for(host.groups):
        _apply(run, role, host)
    run.claim(stage, host, host.op_hash_order[before:])


def _is_first(run: Run, stage: Stage, host: Host) -> bool:
    groups = [group for group, _ in stage.roles]
    # A host that converges itself is the first one only where the whole fleet says so.
    candidates = [
        member.name
        for member in run.fleet
        if any(group == "all" or group in member.groups for group in groups)
        and _is_selected(run, member.name)
        and member.name not in run.absent
    ]
    return bool(candidates) and candidates[0] == host.name


def _is_selected(run: Run, name: str) -> bool:
    limit = run.state.limit_hosts
    return run.alone is not None or not isinstance(limit, list) or any(host.name == name for host in limit)


def _apply(run: Run, role: Role, host: Host) -> None:
    """One role on one host. While declaring, what is wrong is noted and the next role is looked at all the same."""
    try:
        if run.stack_is_broken and role.follows_the_stack:
            _check_declared(run, role, host)
            return
        ctx = run.context(host)
        data = wanted(run, role, host, ctx)
        run.applied.setdefault(host.name, []).append((role, data))
        # What containers get is asked for by their services, which the release has noted.
        user = "" if role.carries == "services" else f"role {role.name}"
        with host.deploy(role.name, None, None), run.secrets.asked_by(user):
            role.tasks(data, ctx)
    except PyinfraError as error:
        if not run.declaring and not isinstance(error, ArgumentTypeError):
            raise
        _refuse(run, host, [_unexpected(role, error)])
    except SecretMissing as error:
        _refuse(run, None, [error.problem(f"role {role.name}")])
    except Exception as error:
        _refuse(run, host, _of_record(run, role, host, _told(role, host, error)))


def _of_record(run: Run, role: Role, host: Host, told: list[Problem]) -> list[Problem]:
    """The same; where the data is on record, as findings about that."""
    recalled = run.recalled
    return [recalled.refused(each) for each in told] if recalled and role.key in recalled.roles_on(host.name) else told


def _check_declared(run: Run, role: Role, host: Host) -> None:
    """What is wrong with the role's declared data whatever the Compose file says, which cannot be used."""
    declared = declared_data(host, role.key)
    try:
        role.data.model_validate(declared)
    except ValidationError as error:
        _refuse(run, host, _placed(problems_of(error, role.key, role.data, declared), role, host))


def _refuse(run: Run, host: Host | None, problems: list[Problem]) -> None:
    """Notes them, as this host's where they are one host's own. Outside of validation the host stops: BadInput."""
    if not run.declaring:
        raise BadInput(problems)
    run.problems.extend(problems, host.name if host else "")


def _told(role: Role, host: Host, error: Exception) -> list[Problem]:
    if isinstance(error, ValidationError):
        return _placed(problems_of(error, role.key, role.data), role, host)
    if isinstance(error, BadInput):
        return list(error.problems)
    return [_template(role, error) if isinstance(error, TemplateError) else _unexpected(role, error)]


def _placed(problems: list[Problem], role: Role, host: Host) -> list[Problem]:
    """The same, with the files that declare the fields."""
    return [replace(problem, hint=_hint(problem, role, host)) for problem in problems]


def _hint(problem: Problem, role: Role, host: Host) -> str:
    field = problem.where.split(".")[1] if "." in problem.where else ""
    places = declared_in(host, role.key, field)
    if places:
        return f"{problem.hint} (in {places})" if problem.hint else f"change it in {places}"
    return problem.hint or f"set it in group_data: {role.key} = {{...}}; or it follows from the Compose file"


def _template(role: Role, error: TemplateError) -> Problem:
    if isinstance(error, TemplateNotFound):
        return Problem(f"templates/{error.name}", "there is no such template", f"role {role.name} needs it")
    line, name = getattr(error, "lineno", None), getattr(error, "name", None)
    if line and name:
        return Problem(f"templates/{name}:{line}", str(error.message), f"mend the template; role {role.name} needs it")
    return Problem(_template_line(error), str(error.message), f"take it out, or let role {role.name} pass it on")


def _unexpected(role: Role, error: Exception) -> Problem:
    return Problem(f"role {role.name}", f"{type(error).__name__}: {error}", f"it was raised at {_source_line(error)}")


def _template_line(error: TemplateError) -> str:
    """`template:line` of the innermost frame that is a template's."""
    inner = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.endswith(".j2")]
    if not inner:
        return "template"
    return f"{inner[-1].filename[inner[-1].filename.rfind('templates/') :]}:{inner[-1].lineno}"


def _source_line(error: Exception) -> str:
    """`file:line` of the innermost frame that is the project's own."""
    frames = [(shown(frame.filename), frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    own = [f"{name}:{line}" for name, line in frames if name.startswith(("roles/", "deploy.py", "src/"))]
    return own[-1] if own else f"{Path(frames[-1][0]).name}:{frames[-1][1]}"
