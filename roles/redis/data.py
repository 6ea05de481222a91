"""Data of the redis role."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from slipway.addresses import Address
from slipway.role import RoleData

Bytes = Annotated[str, Field(pattern=r"^(0|[1-9][0-9]*([kmgKMG]?[bB])?|[1-9][0-9]?%)$")]
"""As redis.conf has it (512mb, 2gb, bytes without a letter), or a percentage of the host's memory; 0 is no limit."""
Command = Annotated[str, Field(pattern=r"^[a-zA-Z][a-zA-Z0-9._-]*(\|[a-zA-Z0-9_-]+)?$")]
Path = Annotated[str, Field(pattern=r"^(/[A-Za-z0-9._-]+)+$")]
Pattern = Annotated[str, Field(pattern=r"^[^\s\x00-\x1f\"']+$", max_length=500)]
SavePoint = Annotated[str, Field(pattern=r"^[1-9][0-9]* [1-9][0-9]*$")]
SecretName = Annotated[str, Field(pattern=r"^[A-Za-z0-9._/-]+$")]

FIELDS = {
    "aclfile": "the users are in `users`",
    "appendfsync": "appendfsync",
    "appendonly": "appendonly",
    "bind": "bind",
    "daemonize": "systemd's unit says it",
    "databases": "databases",
    "dbfilename": "dbfilename",
    "dir": "dir",
    "include": "the file is whole",
    "loadmodule": "a module is code that runs as Redis",
    "logfile": "logfile",
    "loglevel": "loglevel",
    "masterauth": "replicaof",
    "masteruser": "replicaof",
    "maxclients": "maxclients",
    "maxmemory": "maxmemory",
    "maxmemory-policy": "maxmemory_policy",
    "maxmemory-samples": "maxmemory_samples",
    "pidfile": "systemd's unit says it",
    "port": "port",
    "protected-mode": "protected_mode",
    "rdbcompression": "rdbcompression",
    "rename-command": "disabled_commands",
    "replicaof": "replicaof",
    "requirepass": "password",
    "save": "save",
    "slaveof": "replicaof",
    "supervised": "systemd's unit says it",
    "tcp-keepalive": "tcp_keepalive",
    "timeout": "timeout",
    "unixsocket": "Slipway's own way in",
    "user": "users",
}
"""Settings that have a field of their own, or none because they are not to be set, and which or why."""


class RedisUser(RoleData):
    """A user of Redis, besides `default`."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$", max_length=64)]
    """Name to log in with."""
    password: SecretName
    """Name of the secret that holds its password; only a hash of it comes to the host."""
    keys: list[Pattern] = ["*"]
    """Patterns of the keys it may use, as `app:*`."""
    channels: list[Pattern] = []
    """Patterns of the channels it may publish and subscribe to; none where empty."""
    commands: list[Annotated[str, Field(pattern=r"^[+-](@?[a-zA-Z][a-zA-Z0-9._|-]*)$")]] = ["+@all", "-@dangerous"]
    """What it may do, as ACL rules: `+@read`, `-flushall`; later ones win."""
    enabled: bool = True
    """Whether it may log in."""

    @field_validator("name")
    @classmethod
    def _is_free(cls, name: str) -> str:
        if name in ("default", "slipway"):
            raise ValueError(f"{name!r} is taken; `default` has the fields password and disabled_commands")
        return name


class Redis(RoleData):
    """A Redis server."""

    version: Annotated[str, Field(pattern=r"^[A-Za-z0-9.+:~*-]+$")] | None = None
    """Version pattern of the package, as `5:7.0*`; the distribution's where it is None."""
    hold: bool = True
    """Whether upgrades leave it alone: a restart of it is a rollout's to order."""
    port: Annotated[int, Field(ge=1, le=65535)] = 6379
    """Port it listens on."""
    bind: list[Address] | None = None
    """Addresses it listens on; the host's private one and 127.0.0.1 where it is None."""
    protected_mode: bool = True
    """Without a password, whether it refuses everybody but the host itself."""
    password: SecretName | None = None
    """Name of the secret that holds the password of the user `default`; only a hash of it comes to the host."""
    users: list[RedisUser] = []
    """More users."""
    disabled_commands: list[Command] = []
    """Commands that no user may run, as FLUSHALL, KEYS or CONFIG."""
    databases: Annotated[int, Field(ge=1, le=10000)] = 16
    """Number of databases. Changing it needs a restart."""
    timeout: Annotated[int, Field(ge=0)] = 0
    """Seconds after which an idle client is closed; 0 is never."""
    tcp_keepalive: Annotated[int, Field(ge=0)] = 300
    """Seconds between two probes of a silent connection."""
    maxclients: Annotated[int, Field(ge=1)] = 10000
    """Clients at a time."""
    loglevel: Literal["debug", "verbose", "notice", "warning"] = "notice"
    """What it logs."""
    logfile: Path | Literal[""] = "/var/log/redis/redis-server.log"
    """Where it logs; the journal where empty. The package rotates its own place only."""
    maxmemory: Bytes = "60%"
    """Memory that data may take. A copy while it saves, and clients' buffers, come on top."""
    maxmemory_policy: Literal[
        "noeviction", "allkeys-lru", "allkeys-lfu", "allkeys-random", "volatile-lru", "volatile-lfu", "volatile-random",
        "volatile-ttl",
    ] = "noeviction"  # fmt: skip
    """What it does when that is full: refuse writes, or throw keys away. A queue must not lose keys; a cache may."""
    maxmemory_samples: Annotated[int, Field(ge=1, le=64)] = 5
    """Keys looked at to find one to throw away."""
    save: list[SavePoint] = ["3600 1", "300 100", "60 10000"]
    """Save points, as `seconds changes`; none where empty."""
    rdbcompression: bool = True
    """Whether what is saved is compressed."""
    dbfilename: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$")] = "dump.rdb"
    """File it saves to. Changing it needs a restart."""
    dir: Path = "/var/lib/redis"
    """Directory of its data. Its unit lets it write there and nowhere else."""
    appendonly: bool = False
    """Whether each change is written to an append-only file."""
    appendfsync: Literal["always", "everysec", "no"] = "everysec"
    """How often that file is brought to disk."""
    replicaof: Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]+$")] | None = None
    """Member of the fleet, or address, whose replica this is; it logs in there as `default` with the same password."""
    replicaof_port: Annotated[int, Field(ge=1, le=65535)] = 6379
    """Port of that one."""
    settings: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")], str | list[str]] = {}
    """Anything else of redis.conf, by its own names; a list gives a line for each."""
    overcommit_memory: bool = True
    """Whether the kernel grants memory that may never be used, without which a save fails on a full host."""
    limit_nofile: Annotated[int, Field(ge=1024)] | None = None
    """Open files; the package's 65535 where it is None. Changing it needs a restart."""

    @field_validator("settings")
    @classmethod
    def _have_no_field(cls, settings: dict[str, str | list[str]]) -> dict[str, str | list[str]]:
        for key, value in settings.items():
            if key in FIELDS:
                raise ValueError(f"{key!r} does not belong here: {FIELDS[key]}")
            for line in [value] if isinstance(value, str) else value:
                if re.search(r"[\x00-\x1f\x7f]", line):
                    raise ValueError(f"{key!r} must be one line")
        return settings

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        names = [user.name for user in self.users]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"user {twice[0]} is there twice; merge the two")
        loopback = self.bind is not None and all(ipaddress.ip_address(a).is_loopback for a in self.bind)
        if self.password is None and self.protected_mode and not self.users and not loopback:
            raise ValueError(
                "there is no password, so that nobody but the host itself could connect; name a secret in `password`, "
                "or say protected_mode=False where everybody on the private network may have the data"
            )
        if self.disabled_commands and self.password is None and not self.users:
            raise ValueError("disabled_commands needs a password: without one everybody is the user that may do all")
        return self
