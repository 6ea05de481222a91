"""The edge: nginx in front of the application, whose traffic moves without a reload."""

from roles.nginx.data import Nginx
from roles.nginx.derive import derive
from roles.nginx.needs import needs
from roles.nginx.tasks import tasks
from roles.nginx.traffic import EdgeTraffic
from slipway.role import Role

role = Role(
    "nginx", data=Nginx, tasks=tasks, derive=derive, needs=needs, carries="nginx",
    units=lambda data, ctx: ("nginx.service",),
)  # fmt: skip
traffic = EdgeTraffic()

__all__ = ["EdgeTraffic", "role", "traffic"]
