"""A role: typed data, the tasks that bring a host there, and the checks of what must be true afterwards."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError

from slipway.problems import Problem, did_you_mean

if TYPE_CHECKING:
    from slipway.context import Context
    from slipway.remote import Remote


class RoleData(BaseModel):
    """Base of every role's data: strict, frozen, unknown keys refused. A sentence stands under each field."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", use_attribute_docstrings=True)



@dataclass(frozen=True)
class Service:
    """One thing that runs, as `slipway status` shows it."""

    name: str
    state: str
    """running, stopped, failed, absent, starting, unhealthy, ..."""
    is_well: bool
    release: str = ""
    """The release it serves, or the version of its package."""


@dataclass(frozen=True)
class Role:
    """What `roles/<name>/__init__.py` exports as `role`."""

    name: str
    data: type[RoleData]
    tasks: Callable[[Any, Context], None]
    """Called once per host as `tasks(data, ctx)`; calls operations, reads nothing."""
    derive: Callable[[Context], Mapping[str, Any]] = lambda ctx: {}
    """Role data that follows from the Compose file and the fleet: beneath what group_data says."""
    checks: str = ""
    """Dotted name of the module with `check_*` functions, by default `roles.<name>.verify`."""
    units: Callable[[Any, Context], Sequence[str]] = lambda data, ctx: ()
    """The systemd units that carry it, for `slipway status`."""
    status: Callable[[Remote, Any, Context], Sequence[Service]] | None = None
    """What else of it runs on a host, where units do not tell (containers)."""
    data_key: str = ""
    """Name under which group_data holds its data, by default the role's name."""

    @property
    def key(self) -> str:
        return self.data_key or self.name

    def wanted(self, declared: Mapping[str, Any], ctx: Context) -> RoleData:
        """The data for one host: defaults, then what is derived, then what is declared. Raises ValidationError."""
        return self.data.model_validate({**self.derive(ctx), **declared})


def problems_of(error: ValidationError, where: str, model: type[BaseModel]) -> list[Problem]:
    """Each finding of pydantic in the house's words: where, what, and the nearest name for an unknown key."""
    return [_problem(found, where, model) for found in error.errors(include_url=False, include_context=False)]


def _problem(found: Any, where: str, model: type[BaseModel]) -> Problem:
    path = ".".join(str(part) for part in found["loc"])
    if found["type"] == "extra_forbidden":
        return Problem(f"{where}.{path}", "unknown key", did_you_mean(str(found["loc"][-1]), _siblings(model, found)))
    shown = repr(found.get("input"))
    got = f" (got {shown})" if len(shown) <= 60 and found["type"] != "missing" else ""
    return Problem(f"{where}.{path}".rstrip("."), found["msg"] + got)


def _siblings(model: type[BaseModel], found: Any) -> list[str]:
    """Names that stand beside an unknown key, however deep it lies."""
    here: Any = model
    for part in found["loc"][:-1]:
        here = _inner_model(here, part) or here
    return list(here.model_fields)


def _inner_model(model: type[BaseModel], part: Any) -> type[BaseModel] | None:
    field = model.model_fields.get(part) if isinstance(part, str) else None
    return _first_model(field.annotation) if field else None


def _first_model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    inner = (_first_model(argument) for argument in getattr(annotation, "__args__", ()))
    return next((model for model in inner if model), None)
