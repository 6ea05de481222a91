"""One run of a deploy file against an inventory: its fleet, stages, data and results."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from pyinfra.api import State
from pyinfra.api.host import Host

from slipway.context import Context
from slipway.engine.events import Events
from slipway.fleet import NOMINAL, Fleet, Machine
from slipway.problems import BadInput, Problem, Problems
from slipway.role import Role
from slipway.rollout import RollPolicy, Traffic
from slipway.secrets import Secrets

if TYPE_CHECKING:
    from slipway.compose import Stack
    from slipway.release import Release

CONVERGE, ONCE, ROLL, PLAIN = "converge", "once", "roll", "plain"


@dataclass(frozen=True)
class Stage:
    """One line of deploy.py. Stages follow one another; hosts within a stage do not wait for each other."""

    kind: str
    name: str
    roles: tuple[tuple[str, Role], ...] = ()
    """(group, role), in the order in which they are written."""
    traffic: Traffic | None = None
    edges: str = ""
    """The group of hosts that the traffic comes through."""
    policy: Callable[[Context], RollPolicy] = lambda ctx: RollPolicy()
    revert: Callable[[Any, Context], None] | None = None

    @property
    def brings(self) -> tuple[str, list[tuple[str, str]]]:
        """What tells it from another stage of the same name."""
        return self.kind, [(group, role.name) for group, role in self.roles]

    def roles_for(self, groups: Sequence[str]) -> list[Role]:
        """The roles that this stage brings to a host of these groups, each once."""
        wanted = [role for group, role in self.roles if group == "all" or group in groups]
        return list(dict.fromkeys(wanted))


@dataclass
class Run:
    """Everything that one run knows. `declaring` is the pass over deploy.py before the first connection."""

    state: State
    fleet: Fleet
    secrets: Secrets
    stack: Stack | None = None
    release: Release | None = None
    declaring: bool = False
    stack_is_broken: bool = False
    """There is a Compose file that cannot be used: what follows from it is not looked at."""
    events: Events = field(default_factory=Events)
    problems: Problems = field(default_factory=Problems)
    stages: list[Stage] = field(default_factory=list)
    operations: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    """Stage name to host name to operation identities, in the order in which they run."""
    machines: dict[str, Machine] = field(default_factory=dict)
    applied: dict[str, list[tuple[Role, Any]]] = field(default_factory=dict)
    """Host name to the roles it gets, with their data."""

    plain_after: dict[str, int] = field(default_factory=dict)
    """Name of a stage of plain operations to the number of the stage that it follows."""

    def in_order(self) -> list[Stage]:
        """The stages as they run: plain operations of deploy.py stand where the file has them."""
        numbered = [
            (self.plain_after[stage.name], 1, stage) if stage.kind == PLAIN else (number, 0, stage)
            for number, stage in enumerate(self.stages)
        ]
        return [stage for *_, stage in sorted(numbered, key=lambda entry: entry[:2])]

    def context(self, host: Host) -> Context:
        return Context(
            host=self.fleet.member(host.name),
            fleet=self.fleet,
            secrets=self.secrets,
            stack=self.stack,
            release=self.release,
            machine=self.machines.get(host.name, NOMINAL),
        )

    def stage(self, stage: Stage) -> Stage:
        """Registers a stage once, in the order of the deploy file; returns the registered one.

        Raises BadInput where another stage has its name: one of the two would never run.
        """
        for known in self.stages:
            if known.name == stage.name:
                if known.brings != stage.brings:
                    raise BadInput([Problem(f"deploy.py: {stage.name!r}", "two stages have this name", "rename one")])
                return known
        self.stages.append(stage)
        return stage

    def hosts_of(self, stage: Stage) -> list[Host]:
        """Active hosts with operations in this stage, in inventory order."""
        mine = self.operations.get(stage.name, {})
        return [host for host in self.state.inventory.get_active_hosts() if mine.get(host.name)]

    def operations_of(self, stage: Stage, host: Host) -> list[str]:
        return self.operations.get(stage.name, {}).get(host.name, [])

    def claim(self, stage: Stage, host: Host, identities: Sequence[str]) -> None:
        self.operations.setdefault(stage.name, {}).setdefault(host.name, []).extend(identities)


_runs: WeakKeyDictionary[State, Run] = WeakKeyDictionary()


def current_run(state: State) -> Run:
    """The run that a pyinfra state belongs to. Raises LookupError outside of one."""
    run = _runs.get(state)
    if run is None:
        raise LookupError("no run: start deploy.py through pyinfra in the project's directory, or through ./slipway")
    return run


def bind(run: Run) -> Run:
    """Makes this the run of its state."""
    _runs[run.state] = run
    return run


def is_bound(state: State) -> bool:
    """Whether a state has a run: it has none where pyinfra only runs a command or reads a fact."""
    return state in _runs


def declared_data(host: Host, key: str) -> dict[str, Any]:
    """A role's data as the inventory declares it, field by field: all hosts, groups as listed, host, command line."""
    merged: dict[str, Any] = {}
    for layer, _ in _layers_of(host):
        value = layer.get(key)
        merged.update(value if isinstance(value, Mapping) else {})  # what is no dict is told by look_over_data
    return merged


def declared_in(host: Host, key: str, field: str) -> str:
    """The files that declare a field of a role's data for this host; any field of it where none is named."""
    places = [
        place
        for layer, place in _layers_of(host)
        if isinstance(value := layer.get(key), Mapping) and value and (not field or field in map(str, value))
    ]
    return ", ".join(places)


def _layers_of(host: Host) -> list[tuple[Mapping[str, Any], str]]:
    inventory = host.inventory
    return [
        (inventory.get_data(), "group_data/all.py"),
        *((inventory.get_group_data(group), f"group_data/{group}.py") for group in host.groups if group != "all"),
        (inventory.get_host_data(host.name), "the inventory"),
        (inventory.get_override_data(), "--data"),
    ]
