"""nftables: who may reach what of a host. Docker's tables stay Docker's."""

from roles.firewall.data import Firewall
from roles.firewall.needs import needs
from roles.firewall.tasks import tasks
from slipway.facts.firewall import UNIT
from slipway.role import Role

role = Role(
    "firewall", data=Firewall, tasks=tasks, needs=needs, of_today=True,
    units=lambda data, ctx: [UNIT] if data.enabled else [],
)  # fmt: skip
