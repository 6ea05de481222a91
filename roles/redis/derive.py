"""What follows from the Compose file: its Redis service as data of this role."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from slipway.compose.model import NativeService
from slipway.context import Context
from slipway.release import secret_of
from slipway.secrets import Secret

_SAME = {"maxmemory": "maxmemory", "maxmemory-policy": "maxmemory_policy", "appendfsync": "appendfsync",
         "loglevel": "loglevel", "logfile": "logfile", "dbfilename": "dbfilename"}  # fmt: skip
_NUMBERS = {"databases": "databases", "timeout": "timeout", "tcp-keepalive": "tcp_keepalive",
            "maxclients": "maxclients", "maxmemory-samples": "maxmemory_samples"}  # fmt: skip
_SWITCHES = {"appendonly": "appendonly", "rdbcompression": "rdbcompression", "protected-mode": "protected_mode"}


def native_of(ctx: Context) -> NativeService | None:
    """The Compose file's Redis service that this host runs, if it has one."""
    services = ctx.stack.native.values() if ctx.stack else ()
    found = [one for one in services if one.kind == "redis" and one.group in ctx.host.groups]
    return found[0] if found else None


def derive(ctx: Context) -> Mapping[str, Any]:
    """Settings, port and password as the Compose file has them; the rest is left to the role's defaults."""
    native = native_of(ctx)
    if native is None:
        return {}
    data = _fields(native.settings)
    if native.port:
        data["port"] = native.port
    if native.password:
        data["password"] = native.password.source
    return data


def _fields(settings: Mapping[str, str]) -> dict[str, Any]:
    data: dict[str, Any] = {}
    others: dict[str, str] = {}
    for key, value in settings.items():
        if key in _SAME:
            data[_SAME[key]] = value
        elif key in _NUMBERS:
            data[_NUMBERS[key]] = int(value) if value.isdecimal() else value
        elif key in _SWITCHES:
            data[_SWITCHES[key]] = {"yes": True, "no": False}.get(value.lower(), value)
        elif key == "save":
            data["save"] = save_points(value)
        else:
            others[key] = value
    return {**data, "settings": others} if others else data


def save_points(value: str) -> list[str]:
    """`900 1 300 10` as a list of pairs; an empty word, in or without quotes, is none."""
    words = value.replace('"', " ").replace("'", " ").split()
    return [" ".join(words[at : at + 2]) for at in range(0, len(words), 2)]


def password_of(name: str, ctx: Context) -> Secret:
    """The secret of that name: from where the Compose file says, if it is the Compose file's."""
    return accepted_of(name, ctx)[0]


def accepted_of(name: str, ctx: Context) -> tuple[Secret, ...]:
    """Every version of it that Redis is to take: while it is rotated there are two, the present one first."""
    native = native_of(ctx)
    if native and native.password and not is_of_the_source(name, ctx):
        return (secret_of(native.password, ctx.secrets),)
    return ctx.secrets.accepted(name)


def is_of_the_source(name: str, ctx: Context) -> bool:
    """Whether it is read from the inventory's source, and not from where the Compose file says otherwise."""
    native = native_of(ctx)
    ref = native.password if native else None
    return not (ref and ref.source == name and ref.kind != "slipway")
