"""The full lab stack with nothing to do: Slipway against stock pyinfra, both by the same deploy.py."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from slipway.bench.contestants import FLOOR, PYINFRA, SLIPWAY, Start, start_floor
from slipway.bench.delay import delayed
from slipway.bench.measure import measured
from slipway.bench.results import RECONCILE, STACK, Figure
from slipway.bench.series import NotDone, plain_environment
from slipway.bench.targets import Keys, Target, known_hosts_line
from slipway.lab.hosts import HOSTS
from slipway.lab.inventory import connection_data
from slipway.lab.keys import host_key, public_key
from slipway.lab.lab import Lab
from slipway.lab.layout import NAME_VARIABLE
from slipway.paths import project_root

_COUNTED = """\
set -eu
printf 'LogLevel VERBOSE\\n' > /etc/ssh/sshd_config.d/05-bench.conf
systemctl reload ssh
"""
_COUNT = "journalctl --sync; journalctl --unit=ssh --output=cat | grep -c 'Starting session:' || true"


class Way(NamedTuple):
    """The lab as it is reached in one way, and the directory with the inventory for it."""

    round_trip_ms: int
    folder: Path
    targets: list[Target]

    @property
    def inventory(self) -> str:
        """Named as the lab's own: its name is a group, which has data."""
        return str(self.folder / "lab.py")


class StackSeries:
    """One session on one lab."""

    def __init__(self, lab: Lab, round_trips_ms: tuple[int, ...], work: Path, say: Callable[[str], None]) -> None:
        self._lab, self._round_trips_ms, self._work, self._say = lab, round_trips_ms, work, say
        self._environment = {**plain_environment(""), NAME_VARIABLE: lab.name}
        self._counted: dict[str, int] = {}

    def run(self, repeat: int, until: float) -> list[Figure]:
        """Brings the lab up, deploys, and lets them find nothing to do in turns. Raises NotDone, LabFailed.

        + until: moment (time.monotonic) after which no further turn is begun
        """
        self._lab.up()
        for host in HOSTS:
            self._lab.exec(host.name, ["sh", "-c", _COUNTED])
        with ExitStack() as stack:
            ways = list(self._ways(stack))
            self._say("deploying the full stack")
            self._deploy(ways[0])
            self._prove_that_both_look(ways[0])
            turns = (turn for turn in range(repeat) if time.monotonic() < until)
            return [self._one(each, way) for turn in turns for way in ways for each in _in_turn(turn)]

    def _ways(self, stack: ExitStack) -> Iterator[Way]:
        for milliseconds in self._round_trips_ms:
            folder = self._work / f"stack-{milliseconds}"
            folder.mkdir(parents=True, exist_ok=True)
            targets = [Target(host.name, self._lab.address(host.name), self._lab.address(host.name)) for host in HOSTS]
            if milliseconds:
                ports = stack.enter_context(delayed([each.address for each in targets], milliseconds))
                targets = [
                    each._replace(reached="127.0.0.1", port=port) for each, port in zip(targets, ports, strict=True)
                ]
            way = Way(milliseconds, folder, targets)
            for name, content in self._files(way).items():
                (folder / name).write_text(content, encoding="utf-8")
            yield way

    def _files(self, way: Way) -> dict[str, str]:
        lab = self._lab.layout
        reached = {"ssh_known_hosts_file": str(way.folder / "known_hosts")}
        groups: dict[str, list[tuple[str, dict[str, object]]]] = {}
        for host, target in zip(HOSTS, way.targets, strict=True):
            data = {**connection_data(lab, host), **reached, "ssh_hostname": target.reached, "ssh_port": target.port}
            groups.setdefault(host.groups[0], []).append((host.name, data))
        known = [known_hosts_line(each, public_key(host_key(lab, each.name))) for each in way.targets]
        words = (str(way.folder / "wanted"), f"file:{lab.secrets}")
        return {
            "lab.py": "".join(f"{group} = {hosts!r}\n" for group, hosts in groups.items()),
            "known_hosts": "".join(known),
            "config.py": f"from slipway.bench.stand_in import stand_in\n\nstand_in(*{words!r})\n",
        }

    def _deploy(self, way: Way) -> None:
        """The stack runs, and what it consists of is written down for stock pyinfra."""
        self._start_or_fail([*_SLIPWAY, way.inventory])
        for each in self._work.glob("stack-*"):
            self._start_or_fail([sys.executable, "-m", "slipway.bench.wanted", way.inventory, str(each / "wanted")])

    def _prove_that_both_look(self, way: Way) -> None:
        """A file is edited by hand: stock pyinfra lists it, Slipway mends it. Whoever asks less would be quicker."""
        self._lab.exec("edge1", ["sh", "-c", "echo '# by hand' >> /etc/nginx/nginx.conf"])
        listed = self._start_or_fail([*self._start_of(PYINFRA, way).words, "--dry"])
        self._start_or_fail([*_SLIPWAY, way.inventory])
        left = self._lab.exec("edge1", ["grep", "-c", "by hand", "/etc/nginx/nginx.conf"]).stdout.strip()
        if not _EDITED.search(listed) or left != "0":
            raise NotDone("an nginx.conf edited by hand was not listed by stock pyinfra, or not mended by Slipway")

    def _start_or_fail(self, words: list[str]) -> str:
        done = subprocess.run(
            words, cwd=project_root(), env=self._environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            raise NotDone(f"{' '.join(words)}: exit code {done.returncode}\n{done.stdout[-_LAST:]}")
        return done.stdout

    def _one(self, turn: Turn, way: Way) -> Figure:
        who, scenario = turn
        start, log = self._start_of(who, way, scenario), way.folder / f"{who}.log"
        self._commands()
        load = os.getloadavg()[0]
        taken = measured(start.words, project_root(), log, self._environment, start.stdin)
        sessions = self._commands()
        if taken.code != 0 or not _found_nothing(turn, log.read_text(errors="replace")):
            raise NotDone(f"{who}, {scenario}: exit code {taken.code}, or something to do; its output: {log}")
        figure = Figure(
            who, scenario, len(HOSTS), way.round_trip_ms, taken.wall, taken.cpu, taken.peak_mib, sessions, load
        )
        self._say(f"{scenario:21}  +{way.round_trip_ms} ms  {who:10} {figure.wall:8.2f} s  {sessions:6.1f} commands")
        return figure

    def _start_of(self, who: str, way: Way, scenario: str = STACK) -> Start:
        if who == FLOOR:
            return start_floor(way.targets, Keys(self._lab.layout.ssh_key, way.folder / "known_hosts"))
        if who == SLIPWAY:
            return Start([*(_RECONCILE if scenario == RECONCILE else _SLIPWAY), way.inventory])
        pyinfra = str(Path(sys.executable).with_name("pyinfra"))
        return Start([pyinfra, "--config", str(way.folder / "config.py"), way.inventory, "deploy.py"], stdin="\n")

    def _commands(self) -> float:
        """Commands that each host was asked for since the last time, on average."""
        asked = 0
        for host in HOSTS:
            count = int(self._lab.exec(host.name, ["sh", "-c", _COUNT]).stdout.strip() or 0)
            asked += count - self._counted.get(host.name, 0)
            self._counted[host.name] = count
        return asked / len(HOSTS)


_SLIPWAY = [sys.executable, "-m", "slipway", "deploy"]
_RECONCILE = [sys.executable, "-m", "slipway", "reconcile", "--json"]

Turn = tuple[str, str]
"""Who, and the scenario."""


def _in_turn(turn: int) -> list[Turn]:
    everybody = [(FLOOR, STACK), (SLIPWAY, STACK), (SLIPWAY, RECONCILE), (PYINFRA, STACK)]
    first = turn % len(everybody)
    return [*everybody[first:], *everybody[:first]]


def _found_nothing(turn: Turn, output: str) -> bool:
    """Whether it says so itself, for every host and operation."""
    return turn[0] == FLOOR or bool(_NOTHING[turn].search(output))


_NOTHING = {
    (SLIPWAY, STACK): re.compile(r"No changes: all as wanted\."),
    # Neither drift nor anything owed or intended.
    (SLIPWAY, RECONCILE): re.compile(r'"outcome": "clean"(?!.*"kind": )', re.DOTALL),
    # Operations on hosts; changed, failed: none; without change: as many.
    (PYINFRA, STACK): re.compile(r"Grand total\s+([\d,]+)\s+-\s+-\s+\1\s"),
}
_EDITED = re.compile(r"Write nginx\.conf\s+1 \(edge1\)")
_LAST = 2000
"""Characters that are shown of what a failed command has said."""
