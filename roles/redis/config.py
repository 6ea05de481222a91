"""redis.conf and the ACL file as text."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from roles.redis.data import Redis, RedisUser
from roles.redis.derive import accepted_of, password_of
from slipway.context import Context
from slipway.facts.redis import ACL, SOCKET
from slipway.render import render
from slipway.secrets import Secret

REPLICA_CONF = "/etc/redis/replica.conf"
_MIB = 1024 * 1024


def redis_conf(data: Redis, ctx: Context) -> str:
    """The whole of redis.conf."""
    return render("redis/redis.conf.j2", lines=[*own_lines(data, ctx), *extra_lines(data)])


def own_lines(data: Redis, ctx: Context) -> list[str]:
    """A line for each field, in Redis's own words."""
    lines = {
        "bind": " ".join(addresses(data, ctx)),
        "port": str(data.port),
        "protected-mode": _switch(data.protected_mode),
        "unixsocket": SOCKET,
        "unixsocketperm": "700",
        "aclfile": ACL,
        "databases": str(data.databases),
        "timeout": str(data.timeout),
        "tcp-keepalive": str(data.tcp_keepalive),
        "maxclients": str(data.maxclients),
        "loglevel": data.loglevel,
        "logfile": data.logfile or '""',
        "maxmemory": str(memory_bytes(data.maxmemory, ctx.machine.memory_mb)),
        "maxmemory-policy": data.maxmemory_policy,
        "maxmemory-samples": str(data.maxmemory_samples),
        "save": " ".join(data.save) or '""',
        "rdbcompression": _switch(data.rdbcompression),
        "dbfilename": data.dbfilename,
        "dir": data.dir,
        "appendonly": _switch(data.appendonly),
        "appendfsync": data.appendfsync,
    }
    return [
        *(f"{key} {value}" for key, value in lines.items()),
        *([f"include {REPLICA_CONF}"] if data.replicaof else []),
    ]


def extra_lines(data: Redis) -> list[str]:
    """What is said of settings that have no field."""
    pairs = [(key, [value] if isinstance(value, str) else value) for key, value in sorted(data.settings.items())]
    return [f"{key} {line}".rstrip() if line else f'{key} ""' for key, lines in pairs for line in lines]


def addresses(data: Redis, ctx: Context) -> list[str]:
    """Where it listens: never everywhere unless the data says so."""
    return data.bind if data.bind is not None else list(dict.fromkeys([ctx.host.address, "127.0.0.1"]))


def memory_bytes(text: str, machine_mb: int) -> int:
    """Bytes of `512mb`, of `2g` (thousands, as Redis has it), or of a percentage of the machine's memory."""
    if text.endswith("%"):
        return machine_mb * int(text[:-1]) // 100 * _MIB
    units = {"": 1, "b": 1, "k": 10**3, "kb": 2**10, "m": 10**6, "mb": 2**20, "g": 10**9, "gb": 2**30}
    digits = text.rstrip("kmgbKMGB")
    return int(digits) * units[text[len(digits) :].lower()]


def users_acl(data: Redis, ctx: Context) -> str:
    """The ACL file but for the host's own user. Passwords stand in it as hashes."""
    denied = [f"-{command.lower()}" for command in data.disabled_commands]
    return render(
        "redis/users.acl.j2", lines=[_default(data, ctx, denied), *(_line(u, ctx, denied) for u in data.users)]
    )


def _default(data: Redis, ctx: Context, denied: list[str]) -> str:
    if data.password:
        return " ".join(["user default on", *_hashed(accepted_of(data.password, ctx)), "~* &* +@all", *denied])
    # With users named, whoever does not say who he is gets nothing.
    return "user default off" if data.users else "user default on nopass ~* &* +@all"


def _line(user: RedisUser, ctx: Context, denied: list[str]) -> str:
    rules = [f"~{pattern}" for pattern in user.keys] + [f"&{pattern}" for pattern in user.channels]
    state = "on" if user.enabled else "off"
    accepted = _hashed(ctx.secrets.accepted(user.password))
    return " ".join(["user", user.name, state, *accepted, *rules, *user.commands, *denied])


def _hashed(passwords: Iterable[Secret]) -> list[str]:
    return [f"#{hashlib.sha256(password.reveal().encode()).hexdigest()}" for password in passwords]


def replica_conf(data: Redis, ctx: Context) -> Secret:
    """Whose replica it is. A replica logs in by the password itself, which no hash can stand for."""
    address = ctx.fleet.address(data.replicaof or "", "redis.replicaof")
    password = password_of(data.password, ctx).reveal() if data.password else ""
    quoted = password.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    return Secret(render("redis/replica.conf.j2", address=address, port=data.replicaof_port, password=quoted))


def _switch(on: bool) -> str:
    return "yes" if on else "no"
