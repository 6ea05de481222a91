"""The clock: kept by a service, except where it is the clock of the machine beneath."""

from __future__ import annotations

from collections.abc import Generator

from pyinfra import host
from pyinfra.api import StringCommand, operation

from slipway.facts.files import Markers, script
from slipway.facts.units import UnitFact
from slipway.facts.virtual import ContainerFact
from slipway.ops import files
from slipway.report import note_change


@operation()
def kept(service: str) -> Generator[StringCommand]:
    """The service is enabled and keeps the clock. In a container it never runs: the clock is not the host's own."""
    unit, is_shared = host.get_fact(UnitFact, unit=service), host.get_fact(ContainerFact)
    steps = ["unmask"] if unit.is_masked else []
    if not unit.is_enabled:
        steps.append("enable")
    if unit.is_running == is_shared:
        steps.append("stop" if is_shared else "start")
    for step in steps:
        note_change(service, ", ".join(steps))
        yield script('exec systemctl "$1" -- "$2"', step, service)


@operation()
def settle(service: str) -> Generator[StringCommand]:
    """Pays an owed restart of the service. In a container it does not run, so that there is nothing to restart."""
    if f"restart:{service}" not in host.get_fact(Markers, directory=files.OWED):
        return
    note_change(service, "owed restart", is_owed=True)
    verb = "is-enabled" if host.get_fact(ContainerFact) else "restart"
    yield script('set -eu; systemctl "$1" -- "$2"; rm -f -- "$3/restart:$2"', verb, service, files.OWED)
