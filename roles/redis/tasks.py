"""Brings a host its Redis."""

from __future__ import annotations

from roles.redis.config import REPLICA_CONF, addresses, redis_conf, replica_conf, users_acl
from roles.redis.data import Redis
from slipway.context import Context
from slipway.ops import dropins, files, packages, redis, sysctl, waits
from slipway.render import render

PACKAGES = ["redis-server", "redis-tools"]


def tasks(data: Redis, ctx: Context) -> None:
    """Packages, users, settings, the running server, and that it answers where clients reach it."""
    server_packages(data)
    if data.overcommit_memory:
        sysctl.settings(path="/etc/sysctl.d/99-zz-slipway-redis.conf", values={"vm.overcommit_memory": "1"},
                        name="Let a save have memory")  # fmt: skip
    # Root's directory: what Redis cannot write, it cannot rewrite, and nobody who breaks into it can either.
    files.directory(path="/etc/redis", mode="2750", group="redis", name="Keep Redis from rewriting its configuration")
    files.directory(path=data.dir, mode="750", owner="redis", group="redis", name="Make the data directory")
    redis.admin(name="Make the host's own way in")
    redis.users(lines=users_acl(data, ctx), name="Write the users")
    replication(data, ctx)
    content = redis_conf(data, ctx)
    redis.configured(content=content, name="Write redis.conf")
    unit(data)
    redis.started(name="Start Redis")
    redis.settled(content=content, name="Let Redis work by its configuration")
    for address in listening_addresses(data, ctx):
        waits.port(address=address, port=data.port, seconds=30, name="Wait until Redis takes connections")


def server_packages(data: Redis) -> None:
    """The server, not started before it is configured, and held."""
    versions = dict.fromkeys(PACKAGES, data.version) if data.version else {}
    packages.installed(names=PACKAGES, versions=versions, start=False, name="Install Redis")
    packages.held(names=PACKAGES, hold=data.hold, name="Hold the version of Redis")


def replication(data: Redis, ctx: Context) -> None:
    """Whose replica it is; a change of that, or of the password, is taken over by a restart."""
    owes = [redis.RESTART]
    if data.replicaof:
        files.put(path=REPLICA_CONF, content=replica_conf(data, ctx), mode="640", group="redis", owes=owes,
                  name="Write whose replica it is")  # fmt: skip
    else:
        files.absent(path=REPLICA_CONF, owes=owes, name="Be nobody's replica")


def unit(data: Redis) -> None:
    """The unit's limits; a change of them is taken over by a restart."""
    content = render(
        "redis/redis-server.service.d/50-slipway.conf.j2", limit_nofile=data.limit_nofile, directory=data.dir
    )
    dropins.drop_in(unit=redis.UNIT, content=content, owes=[redis.RESTART], name="Write the unit's limits")


def listening_addresses(data: Redis, ctx: Context) -> list[str]:
    """Where it is to answer. A wildcard is no address to ask; loopback stands for it."""
    return [{"0.0.0.0": "127.0.0.1", "::": "::1"}.get(each, each) for each in addresses(data, ctx)]  # noqa: S104
