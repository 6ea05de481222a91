"""One run of a deploy file against an inventory: its fleet, stages, data and results."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from pyinfra.api import State
from pyinfra.api.host import Host

from slipway.context import Context
from slipway.engine.events import Events
from slipway.fleet import NOMINAL, Fleet, Machine
from slipway.problems import BadInput, Problem, Problems
from slipway.reconcile.settings import Reconcile
from slipway.render import Templates, renders_from
from slipway.role import Role
from slipway.rollout import Canary, Traffic
from slipway.secrets import Secrets

if TYPE_CHECKING:
    from slipway.compose import Stack
    from slipway.engine.alone import Alone
    from slipway.engine.journal import Standing
    from slipway.recorded import Entry, Recalled
    from slipway.release import Release

CONVERGE, ONCE, ROLL, PLAIN = "converge", "once", "roll", "plain"


@dataclass(frozen=True)
class Stage:
    """One line of deploy.py. Stages follow one another; hosts within a stage do not wait for each other."""

    kind: str
    name: str
    roles: tuple[tuple[str, Role], ...] = ()
    """(group, role), in the order in which they are written."""
    through: Mapping[str, Traffic] = field(default_factory=dict)
    """The group of edges that the traffic comes through, and how they are told."""

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

    limit: tuple[str, ...] = ()
    """What `--limit` said; empty for every host of the inventory."""
    validated: dict[str, list[tuple[Role, Any]]] = field(default_factory=dict)
    """Host name to the roles it is to get, as they were declared before the first connection."""
    despite: frozenset[str] = frozenset()
    """Checks of the preflight whose errors do not stop it: somebody knows better."""
    reconcile: Reconcile = field(default_factory=Reconcile)
    """What the inventory says of its reconciles."""

    is_rollback: bool = False
    """Whether it goes back to a release that served before."""
    canary: Canary | None = None
    """The share of sessions that the release gets, beside the one that serves; None brings it whole."""
    brings_whole: bool = False
    """Whether a release that would come by shares is to come whole: it was promoted."""
    standing: dict[str, Standing] = field(default_factory=dict)
    """Host name to how it stood when the run began."""
    absent: dict[str, str] = field(default_factory=dict)
    """Hosts that did not answer and that the run goes on without, and why."""

    recalled: Recalled | None = None
    """The release on record that it runs again; None where it brings what the project says."""
    entry: Entry | None = None
    """What it leaves on record; None before every host's data is known, and without an application."""
    templates: Templates = field(default_factory=Templates)
    preconditions: list[Callable[[], None]] = field(default_factory=list)
    """Called once every host is locked, before anything is prepared. Raise BadInput where it may not go on."""
    leaves_out: Callable[[Run], None] | None = None
    """Called once everything is prepared, before the first change: takes out what is to be left alone."""

    alone: Alone | None = None
    """Of a host that converges itself; None where a controller does it."""

    plain_after: dict[str, int] = field(default_factory=dict)
    """Name of a stage of plain operations to the number of the stage that it follows."""

    @property
    def before(self) -> str:
        """Record of the release that served when the run began; empty where none did."""
        return next((standing.current for standing in self.standing.values() if standing.current), "")

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
            is_rollback=self.is_rollback,
            canary=self.canary,
            entry=self.entry,
            kept_secrets=self.recalled.release.secrets if self.recalled else {},
            reconcile=self.reconcile,
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

    def leave_out(self, host: Host, identities: Collection[str]) -> None:
        """These operations do not run on the host."""
        for by_host in self.operations.values():
            if mine := by_host.get(host.name):
                by_host[host.name] = [identity for identity in mine if identity not in identities]

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
    renders_from(run.state, run.templates)
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
