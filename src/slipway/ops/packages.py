"""Debian packages: installed, held or gone; dpkg's lock is waited for and an interrupted dpkg is finished first."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence

from pyinfra import host
from pyinfra.api import StringCommand, operation
from pyinfra.api.exceptions import OperationValueError

from slipway.disruption import Disruption, disrupts
from slipway.facts.files import script
from slipway.facts.packages import (
    POLICY,
    POLICY_MARK,
    InterruptedFact,
    PackagesFact,
    PackageState,
    is_package_name,
)
from slipway.ops.packages_script import HOLD, INSTALL, REMOVE, REPAIR
from slipway.report import note_change

LISTS_HOURS = 24
"""Package lists younger than this are good enough, unless they do not know what is asked for."""
LOCK_SECONDS = 300
"""How long another process may keep the package manager: an unattended upgrade usually takes less than five minutes."""
DRAIN_SECONDS = 30
"""How long requests under way may finish before what answers them is replaced."""
COMMAND_SECONDS = 2400
"""Time limit of one command: apt's own half hour, waiting for locks, and a margin."""


@operation()
def installed(
    names: Sequence[str],
    versions: Mapping[str, str] | None = None,
    hold: Sequence[str] = (),
    start: bool = True,
    lists_hours: int = LISTS_HOURS,
    targets: Sequence[str] = (),
) -> Generator[StringCommand]:
    """These packages, installed and configured; nothing is asked of a mirror where they are there already.

    + versions: package to pattern, as `{"docker.io": "20.10*"}`; the newest that matches is taken, even an older one
    + hold: which of them no upgrade may move
    + start: False keeps services that this installs from starting before their configuration is in place
    + lists_hours: package lists older than this are fetched anew, but only where something is to be installed

    + targets: where requests for what it runs come in; they go elsewhere while it is replaced

    A package that is there and gets another version waits for its host's turn: what it runs is restarted by that.
    Recommended packages are not taken, configuration files that exist are kept. Fails where no version matches (naming
    those that exist), where a package is not authenticated, and where dpkg stays locked (naming who holds it).
    """
    wanted = dict.fromkeys(names, "*") | dict(versions or {})
    _refuse_odd_names([*wanted, *hold])
    found = host.get_fact(PackagesFact, names=tuple(dict.fromkeys([*wanted, *hold])))
    missing = [name for name, pattern in wanted.items() if not _state(found, name).has_version(pattern)]
    unheld = [name for name in hold if name in missing or not _state(found, name).is_held]
    _note(missing, wanted, found)
    _note_marks(unheld, "hold")
    replaced = [name for name in missing if _state(found, name).is_installed]
    if replaced:
        subject = f"upgrade {', '.join(replaced)}"
        disrupts(Disruption(subject, drain=tuple(targets), drain_seconds=DRAIN_SECONDS, seconds=COMMAND_SECONDS))
    if missing:
        words = [f"{name}={wanted[name]}" for name in missing]
        yield _long(INSTALL, str(lists_hours * 60), "yes" if start else "no", *words)
    if unheld:
        yield _long(HOLD, "hold", *unheld)


@operation()
def absent(names: Sequence[str], purge: bool = False) -> Generator[StringCommand]:
    """None of these packages. With `purge` their configuration goes too. What depends on them goes with them."""
    _refuse_odd_names(names)
    if not names:
        return
    found = host.get_fact(PackagesFact, names=tuple(names))
    gone = ("not-installed",) if purge else ("not-installed", "config-files")
    present = [name for name in names if _state(found, name).status not in gone]
    if not present:
        return
    for name in present:
        note_change(f"package {name}", f"remove {_state(found, name).version}")
    yield _long(REMOVE, "purge" if purge else "remove", *present)


@operation()
def held(names: Sequence[str], hold: bool = True) -> Generator[StringCommand]:
    """No upgrade moves these packages; with `hold=False` one may again. What is not installed cannot be held."""
    _refuse_odd_names(names)
    found = host.get_fact(PackagesFact, names=tuple(names))
    installed_ones = [name for name in names if not _state(found, name).is_gone]
    other = [name for name in installed_ones if _state(found, name).is_held != hold]
    mark = "hold" if hold else "unhold"
    _note_marks(other, mark)
    if other:
        yield _long(HOLD, mark, *other)


@operation()
def repaired() -> Generator[StringCommand]:
    """dpkg is not left half way: what an earlier run, ours or anyone's, was interrupted in is finished."""
    left = host.get_fact(InterruptedFact)
    if not left:
        return
    note_change("dpkg", f"finish what was interrupted: {'; '.join(left[:5])}", is_owed=True)
    yield _long(REPAIR)


def _state(found: Mapping[str, PackageState], name: str) -> PackageState:
    return found.get(name, PackageState())


def _long(text: str, *arguments: str) -> StringCommand:
    """One of the scripts, with a time limit that leaves room for its own (waiting for a lock, then apt)."""
    words = script(text, POLICY, POLICY_MARK, str(LOCK_SECONDS), *arguments)
    return StringCommand(*words.bits, _timeout=COMMAND_SECONDS)


def _note_marks(names: Sequence[str], mark: str) -> None:
    for name in names:
        note_change(f"package {name} {mark}", mark)


def _note(missing: Sequence[str], wanted: Mapping[str, str], found: Mapping[str, PackageState]) -> None:
    for name in missing:
        state, pattern = _state(found, name), wanted[name]
        version = "" if pattern == "*" else f" {pattern}"
        if state.is_gone:
            what = f"install{version}"
        elif state.is_installed:
            what = f"{state.version} ->{version}"
        else:
            what = f"finish: it is {state.status}"
        note_change(f"package {name}", what)


def _refuse_odd_names(names: Sequence[str]) -> None:
    """A name that apt would read as an option, a removal (`name-`) or a pattern never gets that far."""
    odd = [name for name in names if not is_package_name(name)]
    if odd:
        raise OperationValueError(f"{odd[0]!r} is no package name (letters, digits, + - . and an architecture after :)")
