"""Which checks there are: host by host, role by role."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from slipway.context import Context
from slipway.engine.run import Run
from slipway.role import Role


@dataclass(frozen=True)
class Check:
    """One check of one role on one host."""

    role: str
    function: Callable[[Any, Any, Context], None]
    data: Any
    ctx: Context

    @property
    def id(self) -> str:
        return f"{self.ctx.host.name}-{self.role}-{self.function.__name__.removeprefix('check_')}"


def checks_of(run: Run) -> Iterator[Check]:
    """Every check of every role that the run brings to each of its active hosts, in inventory order."""
    for host in run.state.inventory.get_active_hosts():
        for role, data in run.applied.get(host.name, []):
            for function in functions_of(role):
                yield Check(role.name, function, data, run.context(host))


def functions_of(role: Role) -> list[Callable[..., None]]:
    """The role's `check_*` functions, in the order in which they are written; none where it has no such module."""
    module = role.checks or f"roles.{role.name}.verify"
    if _is_missing(module):
        return []
    return [value for name, value in vars(import_module(module)).items() if name.startswith("check_")]


def _is_missing(module: str) -> bool:
    try:
        return find_spec(module) is None
    except ModuleNotFoundError:
        return True
