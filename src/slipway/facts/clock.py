"""Whose clock a host has, and who keeps it."""

from __future__ import annotations

from dataclasses import dataclass, field

from pyinfra.api import FactBase, StringCommand

from slipway.facts.files import script
from slipway.facts.units import UnitFact, UnitState


@dataclass(frozen=True)
class Clock:
    """The clock and the service that is to keep it."""

    is_shared: bool = False
    """Whether the clock is the machine's beneath: the host is a container and must not set it."""
    service: UnitState = field(default_factory=UnitState)


_SCRIPT = """\
if systemd-detect-virt --quiet --container; then echo shared; else echo own; fi
exec systemctl show --property=LoadState,ActiveState,UnitFileState -- "$1"
"""


class ClockFact(FactBase[Clock]):
    """Whether the clock is the host's own, and the state of the service that keeps it."""

    def command(self, service: str) -> StringCommand:
        return script(_SCRIPT, service)

    @staticmethod
    def default() -> Clock:
        return Clock()

    def process(self, output: list[str]) -> Clock:
        return Clock(output[0] == "shared", UnitFact().process(output[1:]))
