"""The result of a reconcile as metrics, in a file that Prometheus' node_exporter reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slipway.printable import in_one_line
from slipway.reconcile.result import EXIT, KINDS, HostReport, Reconciliation
from slipway.reconcile.settings import Reconcile
from slipway.reconcile.watched.drills import NOTIFICATION, Drill
from slipway.reconcile.watched.seen import began_at, seconds_of
from slipway.timeline.reports import as_name
from slipway.whole_files import put

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

LONGEST_LABEL = 200
"""Characters of a label's value: who holds what is what a host says, and Prometheus keeps it for weeks."""

WORKED = ("clean", "found", "mended", "held")
"""Outcomes of a run that saw every host and failed nowhere."""


@dataclass(frozen=True)
class Known:
    """What is known from the runs before. Times in seconds since 1970."""

    worked_at: float = 0.0
    """When one last began that saw every host and failed nowhere, this one included; 0 where none did."""
    mended_in_a_row: int = 0
    """Runs up to this one that each had something to put right."""
    seen: Reconciliation | None = None
    """The last run that saw hosts: what it saw holds on where this one yielded."""
    drills: Mapping[str, Drill] = field(default_factory=dict)


def write(run: Reconciliation, settings: Reconcile, known: Known, now: float) -> Path:
    """Writes the inventory's file, whole or not at all, for node_exporter's own user to read. Raises OSError.

    + now: seconds since 1970
    """
    name = as_name(run.inventory) or "inventory"
    path = Path(settings.metrics) / f"slipway_reconcile_{name}.prom"
    put(path, text(run, settings, known, now), 0o644)
    return path


def text(run: Reconciliation, settings: Reconcile, known: Known, now: float) -> str:
    """The metrics, in Prometheus' text format."""
    from prometheus_client import CollectorRegistry, generate_latest  # only who writes them pays for it

    registry = CollectorRegistry()
    gauges = _Gauges(registry, run.inventory)
    _run(gauges, run, settings, known, now)
    seen = run if run.hosts else known.seen or run
    _hosts(gauges, seen.hosts)
    _holds(gauges, seen, settings)
    _drills(gauges, known.drills if not settings.notify else {NOTIFICATION: Drill(), **known.drills})
    return str(generate_latest(registry), "utf-8")


class _Gauges:
    """Every metric has the inventory as a label: a controller may look after several."""

    def __init__(self, registry: CollectorRegistry, inventory: str) -> None:
        self._registry, self._inventory = registry, inventory

    def one(self, name: str, meaning: str, value: float) -> None:
        self.each(name, meaning, (), {(): value})

    def each(self, name: str, meaning: str, labels: Sequence[str], values: Mapping[Any, float]) -> None:
        from prometheus_client import Gauge

        gauge = Gauge(f"slipway_{name}", meaning, ("inventory", *labels), registry=self._registry)
        for its, value in values.items():
            gauge.labels(self._inventory, *(in_one_line(each, LONGEST_LABEL) for each in its)).set(value)


def _run(gauges: _Gauges, run: Reconciliation, settings: Reconcile, known: Known, now: float) -> None:
    gauges.one("reconcile_last_run_timestamp_seconds", "When a run last ended, however it did", now)
    gauges.one(
        "reconcile_last_success_timestamp_seconds", "When a run last saw every host and failed nowhere", known.worked_at
    )
    gauges.one("reconcile_interval_seconds", "Seconds from one run to the next", settings.every)
    gauges.one("reconcile_duration_seconds", "How long the last run took", run.seconds)
    outcomes = {(each,): float(each == run.outcome) for each in EXIT}
    gauges.each("reconcile_outcome", "How the last run ended: 1 for that, else 0", ("outcome",), outcomes)
    gauges.one("reconcile_mended_in_a_row", "Runs in a row that had something to put right", known.mended_in_a_row)


def _hosts(gauges: _Gauges, hosts: Sequence[HostReport]) -> None:
    """A host of which nothing was seen has no count: a gap in the curve, and no zero that nobody counted."""
    seen = [host for host in hosts if host.is_seen]
    for name, meaning, held in (
        ("differences", "Differences that are left and that nobody holds", False),
        ("held_differences", "Differences that are left because somebody holds them", True),
    ):
        left = {(host.name, kind): _left(host, kind, held) for host in seen for kind in KINDS}
        gauges.each(f"reconcile_{name}", meaning, ("host", "kind"), left)
    mended = {(host.name,): float(sum(each.is_mended for each in host.differences)) for host in seen}
    gauges.each("reconcile_mended_differences", "Differences that the last run put right", ("host",), mended)
    reached = {(host.name,): float(host.is_seen) for host in hosts}
    gauges.each("reconcile_host_seen", "1 where the last run saw the host, 0 where it could not", ("host",), reached)
    failed = {(host.name,): float(bool(host.error)) for host in hosts}
    gauges.each("reconcile_host_failed", "1 where the host could not be mended", ("host",), failed)


def _left(host: HostReport, kind: str, held: bool) -> float:
    return sum(each.kind == kind and not each.is_mended and bool(each.held_by) == held for each in host.differences)


def _holds(gauges: _Gauges, seen: Reconciliation, settings: Reconcile) -> None:
    holds = [hold for hold, _ in seen.holds.values()]
    gauges.one("reconcile_holds", "Holds that stand", len(holds))
    limit = settings.hold_hours * 3600
    gauges.one("reconcile_hold_limit_seconds", "Seconds after which a hold stands too long", limit)
    labels = ("hold", "scope", "subject", "who")
    begun = {(hold.id, hold.scope, hold.subject, hold.who): began_at(hold) for hold in holds}
    ends = {(hold.id, hold.scope, hold.subject, hold.who): seconds_of(hold.until) for hold in holds}
    gauges.each("reconcile_hold_since_timestamp_seconds", "When the hold began", labels, begun)
    gauges.each("reconcile_hold_until_timestamp_seconds", "When the hold ends by itself", labels, ends)


def _drills(gauges: _Gauges, drills: Mapping[str, Drill]) -> None:
    last = {(name,): drill.tried_at for name, drill in drills.items()}
    well = {(name,): drill.passed_at for name, drill in drills.items()}
    due = {(name,): drill.every for name, drill in drills.items()}
    gauges.each("drill_last_run_timestamp_seconds", "When the drill was last tried; 0: never", ("drill",), last)
    gauges.each("drill_last_success_timestamp_seconds", "When the drill last went well; 0: never", ("drill",), well)
    gauges.each("drill_interval_seconds", "Seconds within which the drill is to go well again", ("drill",), due)
