"""What a host has of all that Slipway manages, in lines that two hosts, or two ways to one end, are compared by.

What legitimately differs is left out here and nowhere else, each kind with its reason.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from slipway.facts.edges import AdmittedFact
from slipway.lab.lab import Lab
from slipway.recorded import BY_TODAY

_SCRIPT = (Path(__file__).parent / "managed_state.sh").read_text(encoding="utf-8")

LEFT_OUT = {
    r"^(path|content): .*/etc/(mtab|machine-id|resolv\.conf|hostname|ld\.so\.cache|\.pwd\.lock)\b": "the host's own",
    r"^(path|content): .*/etc/(passwd|shadow|group|gshadow|subuid|subgid)-": "backups: of however many edits",
    r"^content: .*/etc/(shadow|gshadow)$": "holds the day of each change; names and locks are compared by themselves",
    r"^(path|content): .*/(root|home/[a-z]+)/\.(bash_history|cache|psql_history|rediscli_history|lesshst)": "people's",
    r"^(path|content): .*/var/lib/slipway/(package-lists|audit)": "when lists were fetched, and who ran what",
    r"^(path|content): .*/var/lib/slipway/releases/(log|[0-9a-f-]+\.json)": "history; the records are compared below",
    r"^content: .*/var/lib/slipway/secrets/": "made on the host; the programs that take them answer",
    r"^(path|content): .*/var/lib/slipway/(redis|docker)/": "what a program said of itself, looked at again each time",
    r"^(path|content): .*/var/lib/slipway-edge/": "written at run time; what an edge admits is compared below",
    r"^(path|content): .*/etc/ssh/ssh_host_": "the host's own",
    r"^(path|content): .*/etc/ssl/": "self-signed by the host",
    r"^unit: (user@|user-runtime-dir@|session-|systemd-(hostnamed|timedated|localed|tmpfiles-clean)|run-)": "come, go",
    r"^unit: [a-z0-9-]+\.(service|timer|socket|path) not-found ": "only named by others",
    r"^unit: (apt-|dpkg-db|e2scrub|fstrim|logrotate|man-db|phpsession|docker-prune|slipway-prune)[a-z_@-]*\.service": (
        "run by their timers"
    ),
    r"^unit: (getty|console-getty|modprobe|ldconfig|systemd-|emergency|rescue|initrd|rc-local|ssh@)": "the system",
    r"^redis: (lua-|cluster-announce|bind-source|rdb|aof-use).*timestamp": "times",
    r"^(path|content): .*/etc/nginx/slipway/[0-9a-f]{16}": "earlier versions of the edge's configuration",
    r"^path: /etc/nginx/slipway/current ": "the live one's name",
    r"^setting: (log_timezone|TimeZone|DateStyle|lc_|default_text)": "of the cluster's creation",
    r"^answer: x-request-id:": "of one request",
    r"^listens: 127\.0\.0\.11:": "the lab's resolver",
    r"^listens: 127\.0\.0\.1:(3[3-9]|4\d|5\d)\d{3}$": "containerd's own, on whatever port is free when it starts",
}
"""Pattern of lines that are left out, and why."""

_SLOT = re.compile(r"\b(18[01]\d)([5-9])\b")
"""A replica's other port: which of its two it has depends on how often it was replaced."""


def state(lab: Lab, host: str, anywhere: bool = False) -> list[str]:
    """Sorted lines. Everything is looked at on the host by one script.

    + anywhere: without what follows from the host's name and address, to be compared with another host's
    """
    done = lab.exec(host, ["env", *(["anywhere=yes"] if anywhere else []), "bash", "-c", _SCRIPT])
    assert done.code == 0, done.stderr
    lines = [_plain(line) for line in done.stdout.splitlines()]
    if anywhere:
        lines = [_of_no_host(line, host, lab.address(host)) for line in lines]
    return sorted(line for line in lines if not any(re.search(pattern, line) for pattern in LEFT_OUT))


def _plain(line: str) -> str:
    if line.startswith("record: "):
        name, _, text = line.partition(": ")
        line = f"{name}: {json.dumps({k: v for k, v in json.loads(text).items() if k not in BY_TODAY}, sort_keys=True)}"
    if ": environment [" in line:
        # Docker is told them in whatever order.
        what, _, listed = line.partition(": environment ")
        line = f"{what}: environment {sorted(json.loads(listed))}"
    if line.startswith("edge: "):
        line = f"edge: {_edge(line.removeprefix('edge: '))}"
    return _SLOT.sub(lambda found: f"{found[1]}{int(found[2]) - 5}", line)


def _edge(text: str) -> str:
    """By which configuration its workers go, who gets requests, and what is drained: the rest is of the moment."""
    told, admitted = json.loads(text), AdmittedFact().process([text])
    peers = {name: dict(peers) for name, peers in admitted.peers.items()}
    return json.dumps([told["tree"], peers, sorted(admitted.drained), sorted(admitted.canaries)], sort_keys=True)


def _of_no_host(line: str, name: str, address: str) -> str:
    plain = line.replace(address, "@address").replace(name, "@name")
    return plain if line.startswith("content: ") else re.sub(r"\b[0-9a-f]{12,64}\b", "@", plain)


def differences(wanted: list[str], found: list[str]) -> list[str]:
    """What one has and the other has not."""
    gone, new = set(wanted) - set(found), set(found) - set(wanted)
    return sorted([f"- {line[:400]}" for line in gone] + [f"+ {line[:400]}" for line in new], key=lambda each: each[2:])
