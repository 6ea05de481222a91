"""Which hosts have the timer, and as whom it runs there."""

from __future__ import annotations

from roles.reconciler.data import GROUP, Reconciler
from slipway.context import Context

ACCOUNT = "slipway-reconcile"
"""Runs it on its own host, without rights there: what it does to that host too, it does by ssh, as everywhere."""


def is_here(data: Reconciler, ctx: Context) -> bool:
    """Whether this host has the timer: each one in pull mode, else those of the group."""
    return data.pull or GROUP in ctx.host.groups


def account_of(data: Reconciler) -> str:
    """Whose files its keys are. A host that converges itself changes what is root's: nobody else can."""
    return "root" if data.pull else ACCOUNT


def has_key(data: Reconciler) -> bool:
    """Whether it has a key for SSH: for the fleet, or in pull mode for a git server that is reached so."""
    return not data.pull or is_reached_by_ssh(data.url)


def is_reached_by_ssh(url: str) -> bool:
    """As git has it: ssh://..., or the short host:path."""
    scheme, found, _ = url.partition("://")
    return scheme.endswith("ssh") if found else ":" in url
