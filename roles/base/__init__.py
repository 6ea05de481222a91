"""What every host gets: packages, names, time, kernel settings, logs with an end, accounts."""

from roles.base.data import Base
from roles.base.needs import needs
from roles.base.tasks import tasks
from slipway.role import Role

role = Role("base", data=Base, tasks=tasks, needs=needs)
