"""Redis on the private address, with users, limits and persistence, changed while it runs wherever that is possible."""

from roles.redis.data import Redis
from roles.redis.derive import derive
from roles.redis.needs import needs
from roles.redis.passwords import passwords
from roles.redis.tasks import tasks
from slipway.role import Role

role = Role(
    "redis",
    data=Redis,
    tasks=tasks,
    derive=derive,
    needs=needs,
    carries="redis",
    units=lambda data, ctx: ("redis-server.service",),
    passwords=passwords,
    turn=lambda data, ctx: 0 if data.replicaof else 1,  # replicas before their primary
)
