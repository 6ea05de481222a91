"""drill: tries what nobody would notice that it no longer works."""

from __future__ import annotations

import sys

from slipway.cli.outcome import FAILED, truthful  # first: it patches for gevent

# isort: split
import click

from slipway.engine.reconciling import project_of
from slipway.reconcile.watched.after import drill as try_the_alarm
from slipway.terminal import Terminal


@click.command()
@click.argument("inventory")
def drill(inventory: str) -> None:
    """Send a message that says it is a drill, and a heartbeat, to every place that `reconcile` in group_data names.

    The next reconcile has it in its metrics; an alert asks for another one after a quarter of a year. Run it where the
    timer runs: what is to be tried is its way out, too. Exit 1 where a place could not be told.
    """
    console = Terminal(stderr=True, highlight=False, soft_wrap=True)
    with truthful():
        project = project_of(inventory, is_watched=True)
        settings = project.reconcile
        failures = try_the_alarm(project.fleet.inventory, settings, project.secrets)
    for failure in failures:
        console.print(failure, markup=False, style="red")
    places = len(settings.notify) + bool(settings.heartbeat)
    told = (
        f"{places - len(failures)} of {places} places told" if places else "no place is named: reconcile in group_data"
    )
    console.print(told, markup=False)
    sys.exit(FAILED if failures else 0)
