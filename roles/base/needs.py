"""What a host has to have for the base role."""

from __future__ import annotations

from roles.base.data import Base
from roles.base.tasks import needed_by
from slipway.context import Context
from slipway.needs import Needs, Packages, Room


def needs(data: Base, ctx: Context) -> Needs:
    """Its packages, and room for Slipway's own records and for files that are written beside the old ones."""
    names = (*data.packages, *data.extra_packages, *needed_by(data))
    return Needs(
        rooms=(Room("/var/lib/slipway", 20, "records of releases", 200), Room("/etc", 5, "configuration", 200)),
        packages=(Packages(names, "base", 100, 1000),),
    )
