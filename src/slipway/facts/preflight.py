"""How a host stands before a run, in one command that writes nothing: it works on a full disk and a read-only root."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pyinfra.api import FactBase, StringCommand

from slipway.facts.files import script
from slipway.facts.packages import POLICY, POLICY_MARK
from slipway.facts.preflight_script import LOOK

TRY_SECONDS = 4
"""For a name or a connection: two more tries of TCP are in it. All are tried at once."""
ASK_SECONDS = 8
"""For a daemon that should answer at once (Docker, systemd); one that hangs must not hang us."""

LONGEST = 1000
"""Characters of a line that are read: a host that lies floods nobody's terminal."""


@dataclass(frozen=True)
class Process:
    """Who has something."""

    pid: int = 0
    """0 where it could not be told."""
    name: str = ""
    unit: str = ""
    """Its systemd unit or scope; empty outside of one."""

    def __str__(self) -> str:
        parts = [f"pid {self.pid}", *([self.unit] if self.unit else [])]
        return f"{self.name or 'a process'} ({', '.join(parts)})" if self.pid else "a process that cannot be seen"


@dataclass(frozen=True)
class Listener:
    """An open port."""

    protocol: str
    address: str
    """As a number; 0.0.0.0 and :: are every one of their kind, `*` is every one of both."""
    port: int
    by: Process


@dataclass(frozen=True)
class Published:
    """A port that Docker publishes for a container."""

    protocol: str
    address: str
    port: int
    container: str
    stack: str
    """Of Slipway's label; empty for somebody else's container."""


@dataclass(frozen=True)
class Space:
    """The file system that a path lies on, or would."""

    path: str
    mount: str
    is_writable: bool
    size_mib: int = 0
    free_mib: int = 0
    inodes: int = 0
    """0 where the file system does not count them."""
    free_inodes: int = 0


@dataclass(frozen=True)
class Tried:
    """What became of a connection."""

    host: str
    port: int
    outcome: str
    """open, unresolved, refused, unreachable, silent or failed."""


@dataclass(frozen=True)
class HostFacts:
    """Everything that is asked."""

    began: float = 0.0
    """The host's clock as the script began, in seconds of the epoch."""
    ended: float = 0.0
    is_container: bool = False
    """Its clock is then the machine's beneath."""
    keeps_time: bool | None = None
    """Whether a time service has set the clock; None where that could not be told."""
    has_systemd: bool = False
    has_bash: bool = False
    has_apt: bool = False
    has_ss: bool = False
    memory_mib: Mapping[str, int] = field(default_factory=dict)
    """total, available and swap."""
    spaces: tuple[Space, ...] = ()
    listeners: tuple[Listener, ...] = ()
    """At the ports that were asked for."""
    docker: str = ""
    """Whether the engine `answers` or is `silent`; empty without one."""
    published: tuple[Published, ...] = ()
    packages: frozenset[str] = frozenset()
    """Which of those asked for are installed."""
    locks: Mapping[str, Process] = field(default_factory=dict)
    """Lock file of the package manager to who holds it."""
    interrupted: tuple[str, ...] = ()
    proxies: tuple[str, ...] = ()
    """apt's own, as host:port."""
    mirrors: tuple[str, ...] = ()
    """What apt fetches from, as host:port."""
    tried: tuple[Tried, ...] = ()
    name_servers: int = 0
    has_route: bool = False
    certificates: Mapping[str, str] = field(default_factory=dict)
    """Path to what is there of the certificates asked for, in PEM; empty where there is none."""
    failed_units: tuple[str, ...] = ()
    reboot: tuple[str, ...] | None = None
    """Packages that ask for a reboot; None where none is owed."""


class PreflightFact(FactBase[HostFacts]):
    """How the host stands. `words` say what to look for."""

    def command(self, words: Iterable[str]) -> StringCommand:
        limits = (str(TRY_SECONDS), str(ASK_SECONDS))
        return script(LOOK, *limits, POLICY, POLICY_MARK, *words)

    @staticmethod
    def default() -> HostFacts:
        return HostFacts()

    def process(self, output: list[str]) -> HostFacts:
        return parsed(output)


def parsed(output: Iterable[str]) -> HostFacts:
    """The facts that these lines tell. What is no line of the script's is left out."""
    said: dict[str, list[list[str]]] = {}
    for line in output:
        kind, _, rest = line.partition("\t")
        if kind != "certificate":
            rest = rest[:LONGEST]
        said.setdefault(kind, []).append(rest.split("\t"))
    has = {columns[0] for columns in said.get("has", [])}

    def first(kind: str) -> str:
        return said[kind][0][0] if kind in said else ""

    def all_of(kind: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(columns[0] for columns in said.get(kind, [])))

    return HostFacts(
        began=_number(first("began")),
        ended=_number(first("ended")),
        is_container="container" in has,
        keeps_time={"yes": True, "no": False}.get(first("ntp")),
        has_systemd="systemd" in has,
        has_bash="bash" in has,
        has_apt={"apt-get", "dpkg-query"} <= has,
        has_ss="ss" in has,
        memory_mib=dict(filter(None, (_memory(columns) for columns in said.get("memory", [])))),
        spaces=tuple(filter(None, (_space(columns) for columns in said.get("disk", [])))),
        listeners=tuple(filter(None, (_listener(columns) for columns in said.get("listens", [])))),
        docker=first("docker"),
        published=tuple(each for columns in said.get("published", []) for each in _published(columns)),
        packages=frozenset(all_of("package")),
        locks={columns[0]: _process(columns[1:]) for columns in said.get("lock", [])},
        interrupted=all_of("interrupted"),
        proxies=all_of("proxy"),
        mirrors=all_of("mirror"),
        tried=tuple(dict.fromkeys(filter(None, (_tried(columns) for columns in said.get("tried", []))))),
        name_servers=len(said.get("nameserver", [])),
        has_route="route" in has,
        certificates=dict(filter(None, (_certificate(columns) for columns in said.get("certificate", [])))),
        failed_units=all_of("failed"),
        reboot=tuple(first("reboot").split()) if "reboot" in said else None,
    )


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def _memory(columns: list[str]) -> tuple[str, int] | None:
    names = {"MemTotal:": "total", "MemAvailable:": "available", "SwapTotal:": "swap"}
    if len(columns) != 2 or columns[0] not in names or not columns[1].isdecimal():
        return None
    return names[columns[0]], int(columns[1]) >> 10


_DF = re.compile(
    r"^\s*(?P<size>\d+|-)\s+(?P<free>-?\d+|-)\s+(?P<inodes>\d+|-)\s+(?P<free_inodes>-?\d+|-)\s+(?P<mount>/.*)$"
)
"""A line of `df`. What is free can be less than nothing: root's reserve is in use."""


def _space(columns: list[str]) -> Space | None:
    told = _DF.match(columns[2]) if len(columns) == 3 else None
    if told is None:
        return None
    return Space(
        columns[0], told["mount"], columns[1] == "rw", _count(told["size"]) >> 10, _count(told["free"]) >> 10,
        _count(told["inodes"]), _count(told["free_inodes"]),
    )  # fmt: skip


def _count(text: str) -> int:
    return 0 if text == "-" else max(0, int(text))


def _process(columns: list[str]) -> Process:
    pid, unit, name = [*columns, "", "", ""][:3]
    return Process(int(pid) if pid.isdecimal() else 0, name, unit)


def _listener(columns: list[str]) -> Listener | None:
    place = columns[1].rpartition(":") if len(columns) > 1 else ("", "", "")
    if not place[2].isdecimal():
        return None
    return Listener(columns[0], _address(place[0]), int(place[2]), _process(columns[2:]))


def _address(text: str) -> str:
    """As `ss` and Docker write it: IPv6 in brackets at times, an interface behind a %."""
    return text.partition("%")[0].strip("[]")


_PUBLISHED = re.compile(r"^(?P<address>.+):(?P<first>\d+)(?:-(?P<last>\d+))?->[\d-]+/(?P<protocol>\w+)$")


def _published(columns: list[str]) -> Iterable[Published]:
    if len(columns) != 3:
        return
    for word in columns[2].split(", "):
        if found := _PUBLISHED.match(word):
            last = int(found["last"] or found["first"])
            for port in range(int(found["first"]), last + 1):
                yield Published(found["protocol"], _address(found["address"]), port, columns[0], columns[1])


def _tried(columns: list[str]) -> Tried | None:
    if len(columns) != 4 or not columns[1].isdecimal():
        return None
    host, port, code, said = columns
    words = {"unresolved": "unresolved", "refused": "refused", "No route": "unreachable", "nreachable": "unreachable"}
    known = next((outcome for word, outcome in words.items() if word in said), "failed")
    return Tried(host, int(port), {"0": "open", "124": "silent", "137": "silent"}.get(code, known))


def _certificate(columns: list[str]) -> tuple[str, str] | None:
    try:
        return columns[0], base64.b64decode(columns[1], validate=True).decode("ascii", errors="replace")
    except (ValueError, IndexError):
        return None
