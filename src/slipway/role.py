"""A role: typed data, the tasks that bring a host there, and the checks of what must be true afterwards."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from slipway.needs import Needs
from slipway.problems import Problem, did_you_mean, nearest

if TYPE_CHECKING:
    from slipway.context import Context
    from slipway.remote import Remote
    from slipway.rollout import Rolling
    from slipway.secrets import Versions


class RoleData(BaseModel):
    """Base of every role's data: strict, frozen, unknown keys refused. A sentence stands under each field."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    @field_validator("*", mode="before")
    @classmethod
    def _is_text_that_a_host_can_have(cls, value: Any) -> Any:
        refuse_no_text(value)
        return value


_HALF_A_PAIR = re.compile("[\ud800-\udfff]")
LONGEST_TEXT = 65_536
"""Characters of one value. An argument of a command has 128 KiB at most; what is longer is no setting but a file."""


def refuse_no_text(value: Any) -> None:
    """Raises ValueError where a string of it, however deep, can stand in no file, no argument and no database."""
    if isinstance(value, str):
        if len(value) > LONGEST_TEXT:
            raise ValueError(f"has {len(value)} characters; a value has {LONGEST_TEXT} at most")
        if "\0" in value:
            raise ValueError("holds a NUL byte, which no file or command can; remove it")
        if _HALF_A_PAIR.search(value):
            raise ValueError("holds half a surrogate pair, which is no character; remove it")
    elif isinstance(value, Mapping):
        for key, each in value.items():
            refuse_no_text(key)
            refuse_no_text(each)
    elif isinstance(value, (list, tuple, set, frozenset)):
        for each in value:
            refuse_no_text(each)


def nothing(ctx: Context) -> Mapping[str, Any]:
    """What a role derives that follows from group_data alone."""
    return {}


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
class Password:
    """A password that a server of the role checks, and how it takes two versions of it at a time."""

    secret: str
    """Name of the secret."""
    sessions: Callable[[Remote, Versions, float], Sequence[str]]
    """Each session that logged in with the version before the present one, as a line. Raises RemoteFailed.

    Called with the host, with what there is of the secret, and the seconds since the present version is handed out.
    """
    logins: tuple[str, str] | None = None
    """Where a login has one password only: the two that take turns, the role's own first."""
    refusal: str = ""
    """Why it cannot take two versions; empty where it can."""


@dataclass(frozen=True)
class Role:
    """What `roles/<name>/__init__.py` exports as `role`."""

    name: str
    data: type[RoleData]
    tasks: Callable[[Any, Context], None]
    """Called once per host as `tasks(data, ctx)`; calls operations, reads nothing."""
    derive: Callable[[Context], Mapping[str, Any]] = nothing
    """Role data that follows from the Compose file and the fleet: beneath what group_data says."""
    checks: str = ""
    """Dotted name of the module with `check_*` functions, by default `roles.<name>.verify`."""
    units: Callable[[Any, Context], Sequence[str]] = lambda data, ctx: ()
    """The systemd units that carry it, for `slipway status`."""
    status: Callable[[Remote, Any, Context], Sequence[Service]] | None = None
    """What else of it runs on a host, where units do not tell (containers)."""
    needs: Callable[[Any, Context], Needs] = lambda data, ctx: Needs()
    """Ports, room, packages, whom it connects to: looked at on the host before a run changes anything."""
    data_key: str = ""
    """Name under which group_data holds its data, by default the role's name."""
    carries: str = ""
    """What of a Compose file runs by it: `services`, or the kind of its native ones (postgres, redis, nginx)."""

    passwords: Callable[[Any, Context], Sequence[Password]] = lambda data, ctx: ()
    """The passwords that its server checks: how they are rotated without anybody being turned away."""

    rolling: Rolling | None = None
    """How what it brings goes through its hosts; without it, whatever it interrupts is done on one host at a time."""
    of_today: bool = False
    """Whether it comes as it is declared today with a release on record too: who may come in is no release's to say."""
    turn: Callable[[Any, Context], int] = lambda data, ctx: 0
    """Hosts with a lower number have their turn first (replicas before primaries); otherwise the inventory's order."""

    @property
    def key(self) -> str:
        return self.data_key or self.name

    @property
    def follows_the_stack(self) -> bool:
        """Whether the Compose file decides what it does."""
        return self.derive is not nothing

    def wanted(self, declared: Mapping[str, Any], ctx: Context) -> RoleData:
        """The data for one host: defaults, then what is derived, then what is declared. Raises ValidationError."""
        return self.data.model_validate({**self.derive(ctx), **declared})


def problems_of(
    error: ValidationError, where: str, model: type[BaseModel], fields: Collection[Any] | None = None
) -> list[Problem]:
    """Each finding of pydantic in the house's words: where, what, and the nearest name for an unknown key.

    + fields: only findings within these fields; those about the whole are left out then
    """
    found: list[Any] = list(error.errors(include_url=False, include_context=False))
    wanted = [each for each in found if fields is None or (each["loc"] and each["loc"][0] in fields)]
    meant = {_meant(each, model, found) for each in found if each["type"] == "extra_forbidden"}
    return [_problem(each, where, model) for each in wanted if each["type"] != "missing" or each["loc"] not in meant]


def _meant(unknown: Any, model: type[BaseModel], found: list[Any]) -> tuple[Any, ...]:
    """The missing field that an unknown key was to be: the two are one mistake."""
    beside = unknown["loc"][:-1]
    missing = [str(each["loc"][-1]) for each in found if each["type"] == "missing" and each["loc"][:-1] == beside]
    return (*beside, nearest(str(unknown["loc"][-1]), missing))


def _problem(found: Any, where: str, model: type[BaseModel]) -> Problem:
    path = ".".join([where, *map(_shown, found["loc"])])
    if found["type"] == "extra_forbidden":
        return Problem(path, "unknown key", did_you_mean(str(found["loc"][-1]), _siblings(model, found)))
    return Problem(path, _told(found["msg"]) + _got(found), _advice(found))


def _shown(part: Any) -> str:
    """A key as it is; one that would disturb the terminal as Python writes it."""
    return str(part) if str(part).isprintable() else ascii(part)


def _told(message: str) -> str:
    message = message.removeprefix("Value error, ").replace("Field required", "is missing")
    return re.sub(r"^(Input|String|List|Dictionary|Value|Data) should ", "must ", message)


SECRET_WORDS = ("password", "secret", "token", "key", "notify", "heartbeat")
"""A field with one of these in its name may hold, by mistake, a secret instead of a secret's name."""


def _got(found: Any) -> str:
    """The value that was given, where it is short and no secret."""
    value = found.get("input")
    if found["type"] == "missing" or not found["loc"]:
        return ""
    if any(word in str(part).lower() for part in found["loc"] for word in SECRET_WORDS):
        return ""
    if not isinstance(value, (str, int, float, bool, type(None))):
        return f" (got a {type(value).__name__})"
    return f" (got {value!r})" if len(repr(value)) <= 60 else ""


ADVICE = {
    "bool_type": "write True or False, without quotes",
    "int_type": "write a whole number, without quotes",
    "string_type": "write text, in quotes",
    "list_type": "write a list: [...]",
    "dict_type": "write a dict: {...}",
    "model_type": "write a dict of fields: {...}",
}
"""What to do, by pydantic's name for the finding."""


def _advice(found: Any) -> str:
    if found["type"] == "literal_error" and isinstance(found.get("input"), str):
        return did_you_mean(found["input"], re.findall(r"'([^']+)'", found["msg"]))
    return ADVICE.get(found["type"], "")


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
