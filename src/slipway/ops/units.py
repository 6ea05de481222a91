"""systemd: units, timers, and the reloads and restarts that changed files owe."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from pyinfra import host
from pyinfra.api import StringCommand, operation

from slipway.disruption import Disruption, disrupts
from slipway.facts.files import Markers, script
from slipway.facts.units import UnitFact, UnitState
from slipway.ops import files
from slipway.report import note_change

_TOLD = """\
# What systemctl itself says is only where to look; the reason stands in the unit's own last lines.
tell() {
  echo "$2 could not $1; its last lines:" >&2
  # The journal takes lines in a moment after they were said.
  journalctl --sync || true
  journalctl --unit="$2" --lines=10 --no-pager --output=cat >&2
  exit 1
}
"""

_STEP = f"""\
{_TOLD}# Starts that are wanted are not counted against a limit that is there to stop a unit from crashing in a loop.
[ "$1" != start ] || systemctl reset-failed -- "$2" 2> /dev/null || true
systemctl "$1" -- "$2" || case $1 in start) tell "$1" "$2" ;; *) exit 1 ;; esac
"""


@operation()
def unit(unit: str, running: bool = True, enabled: bool = True) -> Generator[StringCommand]:
    """A unit that runs (or not) and starts at boot (or not). A masked one is unmasked where it should run.

    Fails with the unit's last lines in the journal where it does not start.
    """
    found = host.get_fact(UnitFact, unit=unit)
    steps = _steps(found, running, enabled)
    if not steps:
        return
    note_change(unit, ", ".join(steps))
    for step in steps:
        yield script(_STEP, step, unit)


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


_SETTLE = f"""\
set -eu
{_TOLD}verb=$1 unit=$2 debts=$3; shift 3
systemctl "$verb" -- "$unit" || tell "$verb" "$unit"
systemctl is-active --quiet -- "$unit" || tell "stay up after $verb" "$unit"
for action in "$@"; do rm -f -- "$debts/$action:$unit"; done
"""


@operation()
def settle(unit: str, action: str = "reload", in_service: bool = False) -> Generator[StringCommand]:
    """Pays an owed `reload` or `restart` of a unit, once, and strikes it out only when systemd says it worked.

    + in_service: others depend on it while it runs, so it waits for its host's turn

    A restart pays an owed reload too. What is owed lies on the host, so a run that died is paid up by the next. Fails
    with the unit's last lines in the journal.
    """
    owed = host.get_fact(Markers, directory=files.OWED)
    if f"{action}:{unit}" not in owed:
        return
    note_change(unit, f"owed {action}", is_owed=True)
    if in_service and host.get_fact(UnitFact, unit=unit).is_running:
        disrupts(Disruption(f"{action} {unit}"))
    paid = ["reload", "restart"] if action == "restart" else ["reload"]
    verb = "reload-or-restart" if action == "reload" else action
    yield script(_SETTLE, verb, unit, files.OWED, *paid)


# systemd judges a unit by its file's name, so the candidate gets its own in a directory of its own.
_VERIFY = """\
set -eu
dir=$(mktemp -d); trap 'rm -rf -- "$dir"' EXIT
cat < "$2" > "$dir/$1"
systemd-analyze verify --man=no --recursive-errors=no -- "$dir/$1"
"""


@operation()
def unit_file(filename: str, content: str, mode: str = "644") -> Generator[StringCommand]:
    """A unit file of ours in /etc/systemd/system, checked by systemd first; systemd knows of it afterwards."""
    path = f"/etc/systemd/system/{filename}"
    owes = [f"daemon-reload:{filename}"]
    check = ["sh", "-c", _VERIFY, "verify", filename, files.CANDIDATE]
    yield from files.put._inner(path, content, mode=mode, owes=owes, check=check)
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
        note_change(name, "daemon-reload", is_owed=True)
        yield script('set -eu; systemctl daemon-reload; rm -f -- "$1/$2"', files.OWED, owes[0])
