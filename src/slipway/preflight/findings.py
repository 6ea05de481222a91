"""A finding: on which host, what about it, how bad, and what to do."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

ERROR, WARNING, FINE = "error", "warning", "ok"
SEVERITIES = (ERROR, WARNING, FINE)
"""Worst first. An error is what a deploy would fail at or do harm with; what a deploy itself mends is none."""

CONTROLLER = "(controller)"
"""Stands for the host's name in what is found about the machine that deploys."""

CHECKS = {
    "ssh": "the host answers, its key is known, the log-in is accepted",
    "sudo": "root without a password",
    "system": "a distribution that this is made for, systemd, bash",
    "disk": "room and inodes for what the run brings; nothing that is read-only",
    "memory": "what services may take together, and what is left",
    "clock": "the host's time against the controller's, and who keeps it",
    "dns": "names that the host has to resolve",
    "mirror": "the package mirrors answer",
    "packages": "dpkg's locks, and what an earlier dpkg left half done",
    "port": "ports that roles listen on are free, or theirs already",
    "reach": "databases and registries answer where they are needed",
    "image": "images can be built or sent where a host lacks them",
    "certificate": "dates, names and keys",
    "units": "no unit of the host has failed",
    "reboot": "no reboot is owed",
    "data": "what the roles are told fits this host",
}
"""Every check by its name, and what it looks at."""


@dataclass(frozen=True)
class Finding:
    """One finding."""

    host: str
    check: str
    severity: str
    what: str
    do: str = ""
    """What to do next; empty where all is well."""


def worst_first(findings: Iterable[Finding], order: Collection[str]) -> list[Finding]:
    """Errors, then warnings, then what is well; within these, hosts in this order and checks as listed above."""
    places, checks = {name: place for place, name in enumerate(order)}, list(CHECKS)
    return sorted(
        findings,
        key=lambda each: (SEVERITIES.index(each.severity), places.get(each.host, -1), checks.index(each.check)),
    )


def of(findings: Iterable[Finding], severity: str) -> list[Finding]:
    return [each for each in findings if each.severity == severity]


def despite(findings: Iterable[Finding], checks: Collection[str]) -> list[Finding]:
    """The same, the errors of these checks as warnings: somebody knows better."""
    return [
        replace(each, severity=WARNING) if each.severity == ERROR and each.check in checks else each
        for each in findings
    ]


def alike(findings: Iterable[Finding]) -> list[tuple[list[str], Finding]]:
    """What is the same on several hosts is one: (hosts, the finding)."""
    groups: dict[tuple[str, str, str, str], tuple[list[str], Finding]] = {}
    for each in findings:
        hosts, _ = groups.setdefault((each.severity, each.check, each.what, each.do), ([], each))
        hosts.append(each.host)
    return list(groups.values())
