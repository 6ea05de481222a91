"""The alerts that ship with it: each is raised by its own trouble within the stated time, and by nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest
import yaml

from slipway.reconcile.result import HostReport, Reconciliation
from slipway.reconcile.settings import Reconcile
from slipway.reconcile.watched import metrics
from slipway.reconcile.watched.drills import NOTIFICATION, Drill
from tests.reconcile.prometheus import RULES, Scrape, alerts, ran
from tests.reconcile_sample import DRIFT, HOLD, HOSTS, OWED, clean, found, mended, report, with_hosts, yielded

pytestmark = pytest.mark.tools

EVERY = 15
"""Minutes from one run to the next."""
BREAKS = 60
"""The minute in which something breaks."""
SETTINGS = Reconcile(every=EVERY * 60, hold_hours=1, metrics="/var/lib/prometheus/node-exporter")

Runs = Callable[[int], Reconciliation | None]
"""The run that ends at a minute; None where none does any more."""


def scraped(runs: Runs, drill: Drill | None = None) -> Scrape:
    """What is served at each minute, of the last run until then."""

    @cache
    def of_run(last: int) -> str:
        while (run := runs(last)) is None:
            last -= EVERY
        worked = max((each for each in range(0, last + 1, EVERY) if _worked(runs(each))), default=0)
        seen = max((each for each in range(0, last + 1, EVERY) if (one := runs(each)) and one.hosts), default=0)
        tried = {NOTIFICATION: drill} if drill else {}
        row = 0
        while (one := runs(last - row * EVERY)) and one.outcome == "mended" and row * EVERY <= last:
            row += 1
        known = metrics.Known(worked * 60, row, runs(seen), tried)
        return metrics.text(run, SETTINGS, known, last * 60)

    return lambda minute: of_run(minute - minute % EVERY)


def _worked(run: Reconciliation | None) -> bool:
    return run is not None and run.outcome in metrics.WORKED


def until(then: Runs, minute: int = BREAKS) -> Runs:
    """All is well until that minute."""
    return lambda at: clean() if at < minute else then(at)


def none_seen() -> Reconciliation:
    hosts = tuple(HostReport(name, False, "Permission denied (publickey)") for name in HOSTS)
    return replace(clean(), outcome="failed", hosts=hosts)


def one_unseen() -> Reconciliation:
    return with_hosts(clean(), "failed", worker3=HostReport("worker3", False, "no answer"))


def held() -> Reconciliation:
    hold = replace(HOLD, since=datetime.fromtimestamp(0, UTC).isoformat())
    return with_hosts(clean(), "held", edge2=report("edge2", replace(DRIFT, held_by=HOLD.id), holds=(hold,)))


def off(minute: int) -> Scrape:
    """The controller's host is off from then on."""
    return lambda at: scraped(lambda _: clean())(at) if at < minute else None


def tampered(minute: int) -> Scrape:
    """What fetches the checkout refuses it from then on: nothing of it runs."""

    def at(now: int) -> str | None:
        verified = f'slipway_reconciler_checkout_verified{{inventory="production"}} {int(now < minute)}\n'
        return (scraped(until(lambda _: None, minute))(now) or "") + verified

    return at


@dataclass(frozen=True)
class Trouble:
    """One thing that goes wrong at BREAKS, and by when which alert says so."""

    alert: str
    scrape: Scrape
    raised: int
    """Minutes after which it is raised at the latest."""


SILENT = "SlipwayReconcileSilent"
FAILING = "SlipwayReconcileFailing"

TROUBLES = {
    # The last run was at the minute 45: two intervals and five minutes after it nobody can call it late any more.
    "timer's unit stopped": Trouble(SILENT, scraped(until(lambda _: None)), 21),
    "its host off": Trouble("SlipwayControllerGone", off(BREAKS), 16),
    "its key revoked": Trouble("SlipwayNoHostSeen", scraped(until(lambda _: none_seen())), 1),
    "checkout tampered with": Trouble("SlipwayCheckoutRefused", tampered(BREAKS), 1),
    "a host is away": Trouble("SlipwayHostNotSeen", scraped(until(lambda _: one_unseen())), 21),
    "drift": Trouble(
        "SlipwayDrift", scraped(until(lambda _: with_hosts(clean(), "found", edge1=report("edge1", DRIFT)))), 6
    ),
    "owed": Trouble(
        "SlipwayOwed", scraped(until(lambda _: with_hosts(clean(), "found", edge1=report("edge1", OWED)))), 6
    ),
    "cannot be mended": Trouble(
        "SlipwayHostNotMended",
        scraped(until(lambda _: with_hosts(clean(), "failed", edge1=report("edge1", error="no space left on device")))),
        1,
    ),
    "somebody is at work for hours": Trouble(FAILING, scraped(until(lambda _: yielded())), 51),
    "drift comes back": Trouble("SlipwayDriftComesBack", scraped(until(lambda _: mended())), 46),
    "held too long": Trouble("SlipwayHeldTooLong", scraped(lambda _: held()), 1),
    "drill due": Trouble("SlipwayDrillDue", scraped(lambda _: clean(), Drill(1, 1, 7200)), 61),
}


@pytest.mark.parametrize("name", TROUBLES)
def test_each_trouble_raises_its_alert_in_time(name: str, tmp_path: Path) -> None:
    """Just that one, by the minute that the documentation states; and nothing before it."""
    trouble = TROUBLES[name]
    wanted = {BREAKS - 1: [], BREAKS + trouble.raised: [trouble.alert]}
    verdict = alerts(trouble.scrape, wanted, tmp_path, words_of=trouble.alert)
    assert verdict.wrong == ""
    assert "production" in verdict.told
    assert "error expanding" not in verdict.told
    assert "no value" not in verdict.told


def test_every_alert_has_its_trouble() -> None:
    """A rule that nobody tried may never fire."""
    rules = yaml.safe_load(RULES.read_text())["groups"][0]["rules"]
    assert sorted(rule["alert"] for rule in rules) == sorted(trouble.alert for trouble in TROUBLES.values())


def test_calm_hours_raise_nothing(tmp_path: Path) -> None:
    """What is intended, known as noise, held for a while, mended once or yielded once raises no alert."""
    odd = {4: yielded(), 9: mended(), 20: replace(found(), hosts=found().hosts[2:3], outcome="clean")}
    scrape = scraped(lambda minute: odd.get(minute // EVERY, clean()), Drill(1, 1, 92 * 86_400))
    assert alerts(scrape, {minute: [] for minute in range(0, 6 * 60, 10)}, tmp_path).wrong == ""


def test_rules_and_metrics_are_well_formed() -> None:
    """promtool has nothing against either."""
    assert ran("check", "rules", str(RULES)).returncode == 0
    text = metrics.text(found(), SETTINGS, metrics.Known(drills={NOTIFICATION: Drill(1, 1)}), 0.0)
    done = ran("check", "metrics", given=text)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_what_a_host_says_of_its_holds_is_a_label() -> None:
    """Quotes, line ends and halves of characters in it end no line; a megabyte of it is cut."""
    told = '"} 1\nslipway_up 7\n\\ \ud800 \u202e \0' + "x" * 1_000_000
    hold = replace(HOLD, id=told, subject=told, who=told)
    run = with_hosts(clean(), "held", edge2=report("edge2", holds=(hold,)))
    text = metrics.text(run, SETTINGS, metrics.Known(), 0.0)
    assert ran("check", "metrics", given=text).returncode == 0
    assert "\nslipway_up" not in text
    assert len(text) < 20_000


def test_rules_use_no_metric_that_nobody_writes() -> None:
    """A name with a typing error in it would never match."""
    text = metrics.text(found(), SETTINGS, metrics.Known(drills={NOTIFICATION: Drill(1, 1)}), 0.0)
    written = {*re.findall(r"^# TYPE (\w+)", text, re.M), "slipway_reconciler_checkout_verified"}
    used = set(re.findall(r"slipway_(?:reconcile|reconciler|drill)_\w+", RULES.read_text()))
    assert used <= written
