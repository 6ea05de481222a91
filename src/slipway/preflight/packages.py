"""The package manager: who holds its locks, what is half done, and whether what is missing can be fetched."""

from __future__ import annotations

from collections.abc import Iterator

from slipway.facts.preflight import Process, Tried
from slipway.ops.packages import LOCK_SECONDS
from slipway.preflight.findings import Finding
from slipway.preflight.subject import Subject
from slipway.preflight.system import listed

OUTCOMES = {
    "unresolved": "cannot resolve {host}",
    "refused": "{host}:{port} refuses the connection",
    "unreachable": "there is no route to {host}:{port}",
    "silent": "{host}:{port} does not answer",
    "failed": "cannot connect to {host}:{port}",
}
"""What became of a connection, in words."""


def told(tried: Tried) -> str:
    return OUTCOMES[tried.outcome].format(host=tried.host, port=tried.port)


def packages(host: Subject) -> Iterator[Finding]:
    """Locks that make a run wait, and what it will finish first."""
    holders: dict[Process, str] = {}
    for lock, process in host.facts.locks.items():
        holders.setdefault(process, lock)
    for process, lock in holders.items():
        # Why it may go on: an unattended upgrade ends by itself, and the run says for whom it waits.
        do = f"where packages change the run waits up to {LOCK_SECONDS} s for it; see there: ps -fp {process.pid}"
        yield host.warning("packages", f"{process} holds {lock}", do)
    if host.facts.interrupted and not holders:  # while somebody is at it, it is in the middle of things
        what = f"dpkg was interrupted: {'; '.join(host.facts.interrupted[:3])}"
        yield host.warning("packages", what, "nothing: the run finishes that first (dpkg --configure -a)")
    if not holders and not host.facts.interrupted:
        missing = host.missing_packages
        yield host.fine("packages", f"to install: {listed(missing)}" if missing else "all installed")


def mirror(host: Subject) -> Iterator[Finding]:
    """Whether packages can be fetched. Only where some are missing is it an error that none of the mirrors answers."""
    facts, missing = host.facts, host.missing_packages
    places = facts.proxies or facts.mirrors
    outcome = {f"{tried.host}:{tried.port}": tried for tried in facts.tried}
    down = [outcome[place] for place in places if place in outcome and outcome[place].outcome != "open"]
    needed = f"; to be installed: {listed(missing)}" if missing else "; nothing is to be installed now"
    if not places and facts.has_apt and missing:
        what = f"apt has no mirror that could be tried{needed}"
        yield host.warning(
            "mirror", what, "nothing, where it has packages from a disk; else see /etc/apt/sources.list*"
        )
    for tried in down:
        check = "dns" if tried.outcome == "unresolved" else "mirror"
        severity = host.error if missing and len(down) == len(places) else host.warning
        kind = "apt's proxy: " if facts.proxies else "package mirror: "
        yield severity(check, f"{kind}{told(tried)}{_why(host, tried)}{needed}", _advice(host, tried))
    if places and not down:
        yield host.fine("mirror", f"{', '.join(place.partition(':')[0] for place in places)} answers")


def _why(host: Subject, tried: Tried) -> str:
    if tried.outcome == "unresolved" and not host.facts.name_servers:
        return " (/etc/resolv.conf names no server)"
    if tried.outcome in ("unreachable", "silent") and not host.facts.has_route:
        return " (the host has no default route)"
    return ""


def _advice(host: Subject, tried: Tried) -> str:
    if tried.outcome == "unresolved":
        return f"mend /etc/resolv.conf there; try: getent hosts {tried.host}"
    where = "see `apt-config dump | grep Proxy`" if host.facts.proxies else "see /etc/apt/sources.list*"
    return f"try there: curl -I http://{tried.host}:{tried.port}/; {where}"
