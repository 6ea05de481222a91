"""What a host is: distribution, systemd, bash, Docker; units that failed, a reboot that is owed."""

from __future__ import annotations

from collections.abc import Iterator

from slipway.preflight.findings import Finding
from slipway.preflight.subject import Subject

TRIED = {("debian", "12"), ("debian", "13")}
"""Distributions that the test suite deploys to."""
UNTRIED = {("ubuntu", "22.04"), ("ubuntu", "24.04")}
"""Made for these too."""
MOST_NAMED = 6


def system(host: Subject) -> Iterator[Finding]:
    """Whether this is a host that Slipway is made for."""
    machine, facts = host.machine, host.facts
    lacks = {
        "systemd as its first process": facts.has_systemd,
        "bash": facts.has_bash,
        "apt and dpkg": facts.has_apt,
    }
    name = f"{machine.distribution} {machine.version}"
    for what in (what for what, is_there in lacks.items() if not is_there):
        do = "apt-get install bash" if what == "bash" else "use a Debian 12 or 13, booted as a machine"
        yield host.error("system", f"{name} without {what}", do)
    known = (machine.distribution, machine.version)
    if known in UNTRIED:
        yield host.warning("system", f"{name}: made for it, never tried on it", "try it on a host that may break")
    elif known not in TRIED:
        yield host.warning("system", f"{name}: not made for it", "expect packages of other names; use Debian 12 or 13")
    elif all(lacks.values()):
        docker = ", Docker answers" if facts.docker == "answers" else ""
        yield host.fine("system", f"{machine.distribution.capitalize()} {machine.version}{docker}")


def docker(host: Subject) -> Iterator[Finding]:
    """An engine that is there and does not answer."""
    if host.facts.docker == "silent":
        yield host.warning("system", "its Docker engine does not answer", "see there: systemctl status docker")


def units(host: Subject) -> Iterator[Finding]:
    """Units that have failed: this run may be about them, or not."""
    failed = host.facts.failed_units
    if failed:
        yield host.warning("units", f"failed: {listed(failed)}", f"see there: journalctl -u {failed[0]}")
    else:
        yield host.fine("units", "none failed")


def reboot(host: Subject) -> Iterator[Finding]:
    """A reboot that packages have asked for."""
    if host.facts.reboot is not None:
        why = f" ({listed(host.facts.reboot)})" if host.facts.reboot else ""
        yield host.warning("reboot", f"it asks for a reboot{why}", "reboot it when its turn comes: drain it first")


def listed(names: tuple[str, ...] | list[str]) -> str:
    """The first few of them."""
    rest = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {rest} more" if rest > 0 else "")
