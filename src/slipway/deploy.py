"""The words of deploy.py: what goes on which group, in which order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import pyinfra
from jinja2 import TemplateError
from pydantic import ValidationError
from pyinfra.api.exceptions import ArgumentTypeError
from pyinfra.api.host import Host

from slipway.context import Context
from slipway.engine.run import CONVERGE, ONCE, ROLL, Run, Stage, current_run, declared_data
from slipway.problems import BadInput
from slipway.role import Role, problems_of
from slipway.rollout import RollPolicy, Traffic
from slipway.secrets import SecretMissing

RoleLike = Role | ModuleType


def converge(name: str, roles: Mapping[str, RoleLike]) -> None:
    """Brings these roles to the hosts of their groups, all hosts at once."""
    _bring(Stage(CONVERGE, name, _roles(roles)))


def once(name: str, roles: Mapping[str, RoleLike]) -> None:
    """Brings the role to the first host of its group only, as the inventory is written."""
    _bring(Stage(ONCE, name, _roles(roles)))


def roll(
    name: str,
    roles: Mapping[str, RoleLike],
    *,
    policy: Callable[[Context], RollPolicy] = lambda ctx: RollPolicy(),
    through: str = "",
    traffic: Traffic | None = None,
    revert: Callable[[Any, Context], None] | None = None,
) -> None:
    """Brings these roles batch by batch: taken out of the traffic, changed, ready, taken back; stops at the first
    batch that fails and leaves the rest as it is.

    + through: the group of edges that the traffic comes through
    + revert: brings a host that failed back to what it ran before
    """
    _bring(Stage(ROLL, name, _roles(roles), traffic, through, policy, revert))


def _roles(roles: Mapping[str, RoleLike]) -> tuple[tuple[str, Role], ...]:
    return tuple((group, part if isinstance(part, Role) else part.role) for group, part in roles.items())


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
    candidates = [
        member.name
        for member in run.fleet
        if any(group == "all" or group in member.groups for group in groups) and _is_selected(run, member.name)
    ]
    return bool(candidates) and candidates[0] == host.name


def _is_selected(run: Run, name: str) -> bool:
    limit = run.state.limit_hosts
    return not isinstance(limit, list) or any(host.name == name for host in limit)


def _apply(run: Run, role: Role, host: Host) -> None:
    """One role on one host. While declaring, what is wrong is noted and the next role is looked at all the same."""
    ctx = run.context(host)
    try:
        data = role.wanted(declared_data(host, role.key), ctx)
        run.applied.setdefault(host.name, []).append((role, data))
        with host.deploy(role.name, None, None):
            role.tasks(data, ctx)
    except ValidationError as error:
        _refuse(run, problems_of(error, f"{host.name}: {role.key}", role.data))
    except BadInput as error:
        _refuse(run, list(error.problems))
    except SecretMissing as error:
        run.problems.add(f"secrets ({error.source})", f"{error.name!r} {error.why}", f"role {role.name} needs it")
        _raise_unless_declaring(run)
    except TemplateError as error:
        line = getattr(error, "lineno", None) or _template_line(error)
        run.problems.add(f"{host.name}: role {role.name}, {line}", str(error.message), "give the template this value")
        _raise_unless_declaring(run)
    except (TypeError, ValueError, ArgumentTypeError) as error:
        run.problems.add(f"{host.name}: role {role.name}", f"{type(error).__name__}: {error}")
        _raise_unless_declaring(run)


def _refuse(run: Run, problems: list[Any]) -> None:
    run.problems.extend(problems)
    _raise_unless_declaring(run)


def _raise_unless_declaring(run: Run) -> None:
    if not run.declaring:
        run.problems.raise_if_any()


def _template_line(error: TemplateError) -> str:
    """`template:line` of the innermost frame that is a template's."""
    found, frame = "template", error.__traceback__
    while frame is not None:
        if frame.tb_frame.f_code.co_filename.endswith(".j2"):
            name = frame.tb_frame.f_code.co_filename
            found = f"{name[name.rfind('templates/') :]}:{frame.tb_lineno}"
        frame = frame.tb_next
    return found
