"""The clock: kept by a service, except where it is the clock of the machine beneath."""

from __future__ import annotations

from collections.abc import Generator

from pyinfra import host
from pyinfra.api import StringCommand, operation

from slipway.facts.clock import ClockFact
from slipway.facts.files import script
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
