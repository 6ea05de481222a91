"""What follows a reconcile: its report, its metrics, messages where something began or ended, and the heartbeat."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from slipway.paths import state_dir
from slipway.problems import Problem
from slipway.reconcile.report.history import history, line_of, mended_in_a_row
from slipway.reconcile.report.runs import keep, last_seen
from slipway.reconcile.result import Reconciliation
from slipway.reconcile.settings import Reconcile
from slipway.reconcile.watched import drills, metrics, told
from slipway.reconcile.watched.notices import Notice, Told, notice_of
from slipway.reconcile.watched.seen import seconds_of, seen_by
from slipway.reconcile.watched.sending import Errand, deliver
from slipway.secrets import SecretMissing, Secrets
from slipway.timeline.picture import Picture
from slipway.timeline.reports import reports_of

TOLD, DRILLS = "told.json", "drills.json"


def reconciles(settings: Reconcile) -> Path:
    """Where all of it lies on the controller."""
    return Path(settings.reports) if settings.reports else state_dir() / "reconcile"


def problems_with(settings: Reconcile, secrets: Secrets) -> list[Problem]:
    """Addresses that are named but not there: told before anything is touched."""
    named = [("notify", name) for name in settings.notify]
    named += [("heartbeat", settings.heartbeat)] if settings.heartbeat else []
    found = []
    for key, name in named:
        try:
            secrets.get(name)
        except SecretMissing as error:
            found.append(error.problem(f"reconcile.{key}"))
    return found


@dataclass
class After:
    """What came of it: none of it changes how the reconcile ended."""

    page: Path | None = None
    failures: list[str] = field(default_factory=list)
    """What could not be done, in words; never an address."""

    def attempt(self, what: str, do: Callable[[], None]) -> None:
        """Does it, or notes why not: what watches a run must never be what fails it, whatever is wrong with it."""
        try:
            do()
        except Exception as error:
            why = getattr(error, "strerror", None) or type(error).__name__
            self.failures.append(f"{what}: {why}")


def after(
    run: Reconciliation,
    settings: Reconcile,
    secrets: Secrets,
    picture: Picture | None = None,
) -> After:
    """Writes and tells all that the settings ask for. Never raises; takes ERRAND_SECONDS beyond its own work at most.

    + picture: the roll that mended, for the page
    """
    done, where = After(), reconciles(settings)

    def report() -> None:
        done.page = keep(run, where, settings.keep, picture)

    done.attempt("the report could not be written", report)
    if settings.metrics:
        what = f"metrics could not be written to {settings.metrics}"
        done.attempt(what, lambda: _metrics(run, settings, where))
    if settings.notify or settings.heartbeat:
        done.attempt("nothing could be sent", lambda: _tell(run, settings, secrets, where, done))
    return done


def _metrics(run: Reconciliation, settings: Reconcile, where: Path) -> None:
    ours = reports_of(run.inventory, where)
    lines = history(ours) or [line_of(run)]
    worked_at = max((seconds_of(line.began) for line in lines if line.outcome in metrics.WORKED), default=0.0)
    tried = drills.read(ours / DRILLS)
    known = metrics.Known(worked_at, mended_in_a_row(lines), last_seen(run.inventory, where), tried)
    metrics.write(run, settings, known, time.time())


def _tell(run: Reconciliation, settings: Reconcile, secrets: Secrets, where: Path, done: After) -> None:
    seen = seen_by(run, settings.hold_hours)
    file = reports_of(run.inventory, where) / TOLD
    before = told.read(file)
    knows = {name: before.get(name, Told()) for name in settings.notify}
    errands, then = list[Errand](), dict[int, tuple[str, Told]]()
    for name, known in knows.items():
        notice, knows_then = notice_of(known, seen)
        if notice is None:
            knows[name] = knows_then
        else:
            then[len(errands)] = (name, knows_then)
            errands.append(Errand(name, secrets.get(name), notice, payload(run, notice)))
    if settings.heartbeat and _lives(run):
        errands.append(Errand(settings.heartbeat, secrets.get(settings.heartbeat), None, {}))
    failed = deliver(errands)
    # Who could not be told is told at the next run: all that began and ended since they last knew.
    knows |= {name: known for number, (name, known) in then.items() if number not in failed}
    done.failures += _not_told(errands, failed)
    if knows != before:
        told.write(file, knows)


def _lives(run: Reconciliation) -> bool:
    """Whether somebody looks after the fleet: by this run, or by the one that it yielded to."""
    return run.outcome != "failed"


def _not_told(errands: list[Errand], failed: dict[int, str]) -> Iterable[str]:
    for number, why in failed.items():
        kind = "heartbeat" if errands[number].notice is None else "message"
        yield f"{kind} to {errands[number].place}: {why}"


def payload(run: Reconciliation, notice: Notice) -> dict[str, Any]:
    """The message for a program."""
    line = line_of(run)
    counts = ("drift", "owed", "intended", "noise", "held", "mended", "unseen")
    return {
        "format": 1,
        "title": notice.title,
        "inventory": run.inventory,
        "outcome": run.outcome,
        "began": run.began,
        "seconds": run.seconds,
        "release": run.release,
        "wanted": run.wanted,
        "who": run.who,
        "is_urgent": notice.is_urgent,
        "new": list(notice.began),
        "over": list(notice.ended),
        "put_right": list(notice.mended),
        "still_open": list(notice.lasts),
        "counts": {name: getattr(line, name) for name in counts},
    }


def drill(inventory: str, settings: Reconcile, secrets: Secrets) -> list[str]:
    """Sends a message and a heartbeat to every place, notes how it went, and returns what failed. Raises OSError."""
    notice = Notice(inventory, ("this is a drill: nothing is wrong, and nothing has to be done",), (), (), (), False)
    run = Reconciliation(inventory, "clean", began=datetime.now(UTC).isoformat(timespec="seconds"))
    errands = [Errand(name, secrets.get(name), notice, payload(run, notice)) for name in settings.notify]
    if settings.heartbeat:
        errands.append(Errand(settings.heartbeat, secrets.get(settings.heartbeat), None, {}))
    failed = list(_not_told(errands, deliver(errands)))
    drills.note(reports_of(inventory, reconciles(settings)) / DRILLS, drills.NOTIFICATION, time.time(), not failed)
    return failed
