"""A host that reconciles the fleet by itself, from a checkout that it has seen the signature of."""

from roles.reconciler.access import access_tasks
from roles.reconciler.data import GROUP, Reconciler
from roles.reconciler.here import is_here
from roles.reconciler.needs import needs
from roles.reconciler.tasks import tasks
from slipway.role import Role

__all__ = ["GROUP", "access", "role"]

# Who looks after the fleet is no release's to say: a rollback must not bring back an old key.
role = Role(
    "reconciler", data=Reconciler, tasks=tasks, needs=needs, of_today=True,
    units=lambda data, ctx: ["slipway-reconcile.timer"] if data.enabled and is_here(data, ctx) else [],
)  # fmt: skip
access = Role(
    "reconciler-access", data=Reconciler, tasks=access_tasks, data_key="reconciler", of_today=True,
    checks="roles.reconciler.verify_access",
)  # fmt: skip
