"""The clock: kept by a service, except where it is the clock of the machine beneath."""

from __future__ import annotations

from collections.abc import Generator

from pyinfra import host
from pyinfra.api import StringCommand, operation

from slipway.facts.clock import ClockFact
from slipway.facts.files import Markers, script
from slipway.ops import files
from slipway.report import note_change


@operation()
def kept(service: str) -> Generator[StringCommand]:
    """The service is enabled and keeps the clock. In a container it never runs: the clock is not the host's own."""
    found = host.get_fact(ClockFact, service=service)
    steps = ["unmask"] if found.service.is_masked else []
    if not found.service.is_enabled:
        steps.append("enable")
    if found.service.is_running == found.is_shared:
        steps.append("stop" if found.is_shared else "start")
    for step in steps:
        note_change(service, ", ".join(steps))
        yield script('exec systemctl "$1" -- "$2"', step, service)


@operation()
def settle(service: str) -> Generator[StringCommand]:
    """Pays an owed restart of the service. In a container it does not run, so that there is nothing to restart."""
    if f"restart:{service}" not in host.get_fact(Markers, directory=files.OWED):
        return
    note_change(service, "owed restart")
    verb = "is-enabled" if host.get_fact(ClockFact, service=service).is_shared else "restart"
    yield script('set -eu; systemctl "$1" -- "$2"; rm -f -- "$3/restart:$2"', verb, service, files.OWED)
