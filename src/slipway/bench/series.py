"""Runs the contestants in turns and looks at the hosts after each run: only work that was done is a figure."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from slipway.bench.contestants import CONTESTANTS, SLIPWAY, Contestant, Place, project_of, start_of
from slipway.bench.delay import delayed
from slipway.bench.measure import Taken, measured
from slipway.bench.results import BY_HAND, FIRST, NO_OP, ON_THE_STACK, ONE_FILE, STACK, Figure, expected_seconds
from slipway.bench.state import by_hand_words, differences, look_words, one_file_words, read_look, wipe_words
from slipway.bench.targets import Keys, Target, known_hosts
from slipway.lab.light import LightHost, LightHosts
from slipway.paths import SOURCE_ROOT

_MOST_TOLD = 5
"""Differences that are named where a contestant left some."""


class NotDone(Exception):
    """A contestant failed, or left hosts other than wanted: its figure would be worth nothing."""


@dataclass(frozen=True)
class Plan:
    """What is measured."""

    hosts: tuple[int, ...]
    round_trips_ms: tuple[int, ...]
    repeats: dict[str, int]
    """Scenario to how often each contestant runs it."""
    contestants: tuple[str, ...]
    longest: float
    """Seconds: whoever is expected to need more for one run is left out there."""
    until: float
    """Moment (time.monotonic) after which no further run is begun."""

    @property
    def on_light_hosts(self) -> dict[str, int]:
        """The scenarios that need no more than sshd."""
        return {scenario: count for scenario, count in self.repeats.items() if scenario not in ON_THE_STACK}

    @property
    def stack_runs(self) -> int:
        return self.repeats.get(STACK, 0)

    @property
    def needs_ansible(self) -> bool:
        return bool(self.on_light_hosts) and any(each.needs_ansible for each in self.chosen())

    def chosen(self) -> list[Contestant]:
        return [each for each in CONTESTANTS if each.key in self.contestants]


@dataclass(frozen=True)
class Ring:
    """Some of the hosts, reached in one way."""

    round_trip_ms: int
    targets: list[Target]


class Series:
    """One session on one set of hosts."""

    def __init__(
        self, light: LightHosts, plan: Plan, work: Path, ansible: Path | None, say: Callable[[str], None]
    ) -> None:
        self._light, self._plan, self._work, self._ansible, self._say = light, plan, work, ansible, say
        self._sessions: dict[str, int] = {}
        self.figures: list[Figure] = []
        self.left_out: list[str] = []

    def run(self) -> None:
        """Fills `figures`. Raises NotDone where a contestant did not do its work, LabFailed where hosts do not come."""
        hosts = self._light.up(max(self._plan.hosts))
        self._look(hosts)
        with ExitStack() as stack:
            rings = self._rings(hosts, stack)
            self._set_up(max(rings, key=lambda ring: (len(ring.targets), -ring.round_trip_ms)))
            for number in range(max(self._plan.on_light_hosts.values())):
                for ring in rings:
                    self._round(ring, number)

    # --- the hosts

    def _rings(self, hosts: list[LightHost], stack: ExitStack) -> list[Ring]:
        """Each number of hosts, in each way. The way stands until `stack` ends."""
        ways: dict[int, list[Target]] = {}
        for milliseconds in self._plan.round_trips_ms:
            if not milliseconds:
                ways[0] = [Target(each.name, each.address, each.address) for each in hosts]
                continue
            ports = stack.enter_context(delayed([each.address for each in hosts], milliseconds))
            ways[milliseconds] = [
                Target(each.name, each.address, "127.0.0.1", port) for each, port in zip(hosts, ports, strict=True)
            ]
        self._work.mkdir(parents=True, exist_ok=True)
        everyone = [target for targets in ways.values() for target in targets]
        self._keys.known_hosts.write_text(known_hosts(everyone, self._light.host_key))
        return [Ring(way, ways[way][:count]) for count in self._plan.hosts for way in ways]

    @property
    def _keys(self) -> Keys:
        return Keys(self._light.private_key, self._work / "known_hosts")

    def _look(self, hosts: Sequence[LightHost | Target]) -> tuple[list[str], float]:
        """What is not as wanted on these hosts, and how many commands each was asked for since the last look."""
        wrong, sessions = [], 0
        for host, output in zip(hosts, self._light.exec_on([each.name for each in hosts], look_words()), strict=True):
            look = read_look(output)
            wrong += [f"{host.name}: {each}" for each in differences(host.name, look.state)]
            sessions += look.sessions - self._sessions.get(host.name, 0)
            self._sessions[host.name] = look.sessions
        return wrong, sessions / len(hosts)

    def _by_hand(self, hosts: Sequence[Target], words: list[str]) -> None:
        self._light.exec_on([each.name for each in hosts], words)

    # --- rounds

    def _set_up(self, ring: Ring) -> None:
        """Every host as wanted, so that there is something to have nothing to do with."""
        self._say(f"setting up {len(ring.targets)} hosts")
        slipway = next(each for each in CONTESTANTS if each.key == SLIPWAY)
        self._one(slipway, ring, "set up")

    def _round(self, ring: Ring, number: int) -> None:
        """Every scenario once; contestants take turns at being the first."""
        if number == 0:
            self._each_in_turn(ring, BY_HAND, 0)
        for scenario, count in self._plan.on_light_hosts.items():
            if number < count:
                self._each_in_turn(ring, scenario, number)

    def _each_in_turn(self, ring: Ring, scenario: str, number: int) -> None:
        for contestant in self._turns(number):
            if (scenario == NO_OP or contestant.deploys) and not self._is_left_out(contestant, ring, scenario):
                self._prepare(contestant, ring, scenario)
                self.figures.append(self._one(contestant, ring, scenario))

    def _turns(self, number: int) -> Iterator[Contestant]:
        chosen = self._plan.chosen()
        first = number % len(chosen)
        yield from (*chosen[first:], *chosen[:first])

    def _is_left_out(self, contestant: Contestant, ring: Ring, scenario: str) -> bool:
        expected = expected_seconds(self.figures, contestant.key, scenario, len(ring.targets), ring.round_trip_ms)
        if time.monotonic() + expected > self._plan.until:
            return True
        if expected > self._plan.longest:
            told = f"{contestant.title} on {len(ring.targets)} hosts (about {expected:.0f} s a run)"
            if told not in self.left_out:
                self.left_out.append(told)
                self._say(f"left out: {told}")
            return True
        return False

    def _prepare(self, contestant: Contestant, ring: Ring, scenario: str) -> None:
        if scenario == BY_HAND:
            self._by_hand(ring.targets, by_hand_words())
        if scenario == ONE_FILE:
            self._by_hand(ring.targets[:1], one_file_words())
        if scenario == FIRST:
            self._by_hand(ring.targets, wipe_words())
            # What is known from a run before would be wrong, and no first deploy has it.
            shutil.rmtree(self._folder(contestant, ring) / ".slipway", ignore_errors=True)

    def _one(self, contestant: Contestant, ring: Ring, scenario: str) -> Figure:
        """One run, and the look at its hosts. Raises NotDone."""
        load = os.getloadavg()[0]
        taken, log = self._start(contestant, ring)
        wrong, sessions = self._look(ring.targets)
        if taken.code != 0 or wrong:
            what = f"{contestant.title}, {scenario}, {len(ring.targets)} hosts: exit code {taken.code}"
            raise NotDone("\n  ".join([what, *wrong[:_MOST_TOLD], f"its output: {log}"]))
        figure = Figure(contestant.key, scenario, len(ring.targets), ring.round_trip_ms, taken.wall, taken.cpu,
                        taken.peak_mib, sessions, load)  # fmt: skip
        self._say(
            f"{len(ring.targets):3} hosts  +{ring.round_trip_ms} ms  {scenario:12}  {contestant.title:16}"
            f" {taken.wall:8.2f} s  {taken.cpu:7.2f} s cpu  {taken.peak_mib:6.0f} MiB  {sessions:5.1f} commands"
        )
        return figure

    def _start(self, contestant: Contestant, ring: Ring) -> tuple[Taken, Path]:
        place = Place(ring.targets, self._keys, self._ansible)
        folder = self._folder(contestant, ring)
        _write(folder, project_of(contestant.key, place))
        start, log = start_of(contestant.key, place), folder / "output.log"
        # Shared connections of a run are its own: the next one begins without. Short, because a socket's path is.
        with tempfile.TemporaryDirectory(prefix="bench-") as sockets:
            return measured(start.words, folder, log, plain_environment(sockets), start.stdin), log

    def _folder(self, contestant: Contestant, ring: Ring) -> Path:
        return self._work / f"{contestant.key}-{len(ring.targets)}-{ring.round_trip_ms}"


def plain_environment(sockets: str) -> dict[str, str]:
    """The caller's, with Slipway to be found, and nothing that one contestant would take from another."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "PYTHON", "SLIPWAY_"))}
    own = {"PYTHONPATH": str(SOURCE_ROOT / "src"), "PYINFRA_PROGRESS": "off", "ANSIBLE_SSH_CONTROL_PATH_DIR": sockets}
    return {**kept, **own, "LC_ALL": "C.UTF-8"}  # Ansible refuses another encoding


def _write(folder: Path, files: dict[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content, encoding="utf-8")
