"""Redis on the private address, with users, limits and persistence, changed while it runs wherever that is possible."""

from roles.redis.data import Redis
from roles.redis.derive import derive
from roles.redis.tasks import tasks
from slipway.role import Role

role = Role(
    "redis", data=Redis, tasks=tasks, derive=derive, carries="redis", units=lambda data, ctx: ("redis-server.service",)
)
