"""What an operator would see on a host with Redis."""

from __future__ import annotations

from typing import Any

from roles.redis.config import addresses, memory_bytes
from roles.redis.data import Redis
from slipway.context import Context
from slipway.facts.redis import ADMIN, SOCKET

_ASK = f'REDISCLI_AUTH="$(cat {ADMIN})" redis-cli --no-auth-warning -s {SOCKET} --user slipway '


def _info(host: Any, section: str) -> dict[str, str]:
    lines = host.check_output(_ASK + "INFO %s", section).replace("\r", "").splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)


def check_it_runs(host: Any, data: Redis, ctx: Context) -> None:
    """It runs, starts at boot, and answers."""
    assert host.service("redis-server").is_running
    assert host.service("redis-server").is_enabled
    assert host.check_output(_ASK + "PING") == "PONG"


def check_it_listens_where_it_should(host: Any, data: Redis, ctx: Context) -> None:
    """It listens on its addresses and on no other."""
    lines = host.check_output("ss -Hltn sport = :%s", str(data.port)).splitlines()
    found = {line.split()[3].rpartition(":")[0].strip("[]") for line in lines}
    assert found == set(addresses(data, ctx)), f"Redis listens on {sorted(found)}"


def check_nobody_gets_in_without_password(host: Any, data: Redis, ctx: Context) -> None:
    """Who does not log in is refused, where a password is wanted."""
    if data.password or data.users:
        said = host.run("redis-cli -h %s -p %s GET slipway", addresses(data, ctx)[0], str(data.port))
        assert "NOAUTH" in said.stdout + said.stderr


def check_settings_are_in_force(host: Any, data: Redis, ctx: Context) -> None:
    """The running server has the limits and the persistence that are wanted."""
    wanted = {
        "appendonly": "yes" if data.appendonly else "no",
        "databases": str(data.databases),
        "maxmemory": str(memory_bytes(data.maxmemory, ctx.machine.memory_mb)),
        "maxmemory-policy": data.maxmemory_policy,
        "save": " ".join(data.save),
    }
    for key, value in wanted.items():
        found = host.check_output(_ASK + "CONFIG GET %s", key).splitlines()
        assert found[1:] in ([value], [] if value == "" else [value]), f"{key} is {found[1:]}, wanted {value!r}"


def check_no_plain_password_on_disk(host: Any, data: Redis, ctx: Context) -> None:
    """Its configuration is read by root and Redis only, and holds hashes; a replica's is the exception."""
    for path in ("/etc/redis/redis.conf", "/etc/redis/users.acl"):
        file = host.file(path)
        assert (file.user, file.group, file.mode) == ("root", "redis", 0o640)
    assert "requirepass" not in host.file("/etc/redis/redis.conf").content_string
    assert host.file(ADMIN).mode == 0o600


def check_it_can_take_writes(host: Any, data: Redis, ctx: Context) -> None:
    """It has loaded its data, its last save worked, and there is room, or leave to make some."""
    persistence, memory = _info(host, "persistence"), _info(host, "memory")
    assert persistence["loading"] == "0", "Redis is still loading its data"
    assert persistence["rdb_last_bgsave_status"] == "ok", "the last save failed: writes are refused (MISCONF)"
    assert persistence["aof_last_write_status"] == "ok", "the append-only file cannot be written"
    limit = int(memory["maxmemory"])
    full = limit and int(memory["used_memory"]) >= limit and data.maxmemory_policy == "noeviction"
    assert not full, f"Redis is full ({memory['used_memory_human']} of {memory['maxmemory_human']}): it refuses writes"


def check_replication(host: Any, data: Redis, ctx: Context) -> None:
    """A replica is linked to its primary; a primary is nobody's replica."""
    found = _info(host, "replication")
    assert found["role"] == ("slave" if data.replicaof else "master")
    if data.replicaof:
        assert found["master_link_status"] == "up", "the replica has no connection to its primary"
