"""The Docker engine: configured before its first start, kept running containers over its own restarts, pruned."""

from roles.docker.data import Docker
from roles.docker.needs import needs
from roles.docker.tasks import tasks
from slipway.role import Role

role = Role("docker", data=Docker, tasks=tasks, needs=needs, units=lambda data, ctx: ("docker.service",))
