"""What a host has to have to reconcile the fleet."""

from __future__ import annotations

from roles.reconciler.data import Reconciler
from roles.reconciler.here import is_here
from roles.reconciler.tasks import HOME, PACKAGES
from slipway.context import Context
from slipway.needs import Needs, Packages, Room


def needs(data: Reconciler, ctx: Context) -> Needs:
    """Its packages, and room for checkout, reports and two environments: the old one goes when the new one is whole."""
    if not data.enabled or not is_here(data, ctx):
        return Needs()
    return Needs(
        rooms=(Room(HOME, 500, "the reconciler's checkout and environment", 20_000),),
        packages=(Packages(tuple(PACKAGES), "the reconciler", 150, 4000),),
    )
