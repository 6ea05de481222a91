"""systemd: units, timers, and the reloads and restarts that changed files owe."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from pyinfra import host
from pyinfra.api import StringCommand, operation

from slipway.facts.files import Markers, script
from slipway.facts.units import UnitFact, UnitState
from slipway.ops import files
from slipway.report import note_change


@operation()
def unit(unit: str, running: bool = True, enabled: bool = True) -> Generator[StringCommand]:
    """A unit that runs (or not) and starts at boot (or not). A masked one is unmasked where it should run."""
    found = host.get_fact(UnitFact, unit=unit)
    steps = _steps(found, running, enabled)
    if not steps:
        return
    note_change(unit, ", ".join(steps))
    for step in steps:
        yield script('exec systemctl "$1" -- "$2"', step, unit)


def _steps(found: UnitState, running: bool, enabled: bool) -> list[str]:
    steps = []
    if found.is_masked and (running or enabled):
        steps.append("unmask")
    # A static or generated unit has no switch of its own: what pulls it in decides.
    if found.can_be_enabled and found.is_enabled != enabled:
        steps.append("enable" if enabled else "disable")
    if found.is_running != running:
        steps.append("start" if running else "stop")
    return steps


@operation()
def settle(unit: str, action: str = "reload") -> Generator[StringCommand]:
    """Pays an owed `reload` or `restart` of a unit, once, and strikes it out only when systemd says it worked.

    A restart pays an owed reload too. What is owed lies on the host, so a run that died is paid up by the next.
    """
    owed = host.get_fact(Markers, directory=files.OWED)
    if f"{action}:{unit}" not in owed:
        return
    note_change(unit, f"owed {action}")
    paid = ["reload", "restart"] if action == "restart" else ["reload"]
    verb = "reload-or-restart" if action == "reload" else action
    yield script(
        'set -eu; verb=$1 unit=$2 debts=$3; shift 3; systemctl "$verb" -- "$unit"; systemctl is-active --quiet -- "$unit"; '
        'for action in "$@"; do rm -f -- "$debts/$action:$unit"; done',
        verb, unit, files.OWED, *paid,
    )  # fmt: skip


@operation()
def unit_file(filename: str, content: str, mode: str = "644") -> Generator[StringCommand]:
    """A unit file of ours in /etc/systemd/system, checked by systemd first; systemd knows of it afterwards."""
    path = f"/etc/systemd/system/{filename}"
    owes = [f"daemon-reload:{filename}"]
    yield from files.put._inner(path, content, mode=mode, owes=owes)
    yield from _daemon_reload(filename, owes)


@operation()
def drop_in(unit: str, content: str, owes: Sequence[str] = ()) -> Generator[StringCommand]:
    """Settings of ours on top of a service of the distribution; systemd knows of them afterwards.

    + owes: what is owed besides, as `restart:nginx`, where only a new process takes the setting
    """
    directory = f"/etc/systemd/system/{unit}.service.d"
    debts = [f"daemon-reload:{unit}", *owes]
    yield from files.directory._inner(directory)
    yield from files.put._inner(f"{directory}/slipway.conf", content, owes=debts)
    yield from _daemon_reload(unit, debts)


def _daemon_reload(name: str, owes: list[str]) -> Generator[StringCommand]:
    if owes[0] in host.get_fact(Markers, directory=files.OWED):
        note_change(name, "daemon-reload")
        yield script('set -eu; systemctl daemon-reload; rm -f -- "$1/$2"', files.OWED, owes[0])
