"""What a reconcile saw, as concerns: what somebody has to know of. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from slipway.holds import Hold
from slipway.reconcile.result import Difference, HostReport, Reconciliation
from slipway.reconcile.watched.notices import Concern, Seen


def seen_by(run: Reconciliation, hold_hours: int) -> Seen:
    """What is intended, known as noise or held raises nothing; a hold does that had stood longer when the run began."""
    concerns = (*_of_fleet(run), *_of_hosts(run), *_of_holds(run, seconds_of(run.began) - hold_hours * 3600))
    mended = tuple(
        _concern(host, each) for host in run.hosts for each in host.differences if each.is_mended and _is_fault(each)
    )
    # Nobody looks at any host where it yielded or stopped before.
    unseen = frozenset(host.name for host in run.hosts if not host.is_seen)
    return Seen(run.inventory, concerns, mended, unseen, saw_nothing=not run.hosts)


def _of_fleet(run: Reconciliation) -> Iterable[Concern]:
    if run.outcome == "failed" and run.errors:
        yield Concern("failed", "", "", "; ".join(run.errors))


def _of_hosts(run: Reconciliation) -> Iterable[Concern]:
    for host in run.hosts:
        if not host.is_seen:
            yield Concern("unseen", host.name, "", host.why)
        if host.error:
            yield Concern("failed", host.name, "", host.error)
        yield from (_concern(host, each) for each in open_in(host))


def open_in(host: HostReport) -> list[Difference]:
    """Drift and owed ones that are left and that nobody holds."""
    return [each for each in host.differences if _is_fault(each) and not each.is_mended and not each.held_by]


def _is_fault(difference: Difference) -> bool:
    return difference.kind in ("drift", "owed")


def _concern(host: HostReport, difference: Difference) -> Concern:
    return Concern(difference.kind, host.name, difference.subject, difference.what)


def _of_holds(run: Reconciliation, before: float) -> Iterable[Concern]:
    for hold, hosts in run.holds.values():
        if began_at(hold) < before:
            yield Concern("held", "", hold.id, f"on {', '.join(hosts)}: {hold.told}")


def began_at(hold: Hold) -> float:
    """Seconds since 1970; 0 where its beginning cannot be read, so that it counts as old."""
    return seconds_of(hold.since)


def seconds_of(moment: str) -> float:
    """A moment as it is written in results, in seconds since 1970; 0 where it is none."""
    try:
        return datetime.fromisoformat(moment).timestamp()
    except ValueError:
        return 0.0
