"""sshd: who may log in, and how. A host is never left with settings that shut Slipway out."""

from roles.ssh.data import Ssh
from roles.ssh.needs import needs
from roles.ssh.tasks import tasks
from slipway.role import Role

role = Role(
    "ssh", data=Ssh, tasks=tasks, needs=needs, of_today=True,
    units=lambda data, ctx: ["ssh.service"] if data.enabled else [],
)  # fmt: skip
