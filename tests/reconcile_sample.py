"""Reconciles that are made up: for tests, and to look at (`python -m tests.reconcile_sample DIRECTORY`)."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from slipway.holds import Hold
from slipway.reconcile.report import keep
from slipway.reconcile.result import Difference, HostReport, Reconciliation
from slipway.timeline import picture_of
from tests.timeline_sample import well

BEGAN = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)
RELEASE, WANTED = "4f2c1e88ab90", "77d0c3e1f2a4"
HOSTS = ("edge1", "edge2", "worker1", "worker2", "worker3", "db1", "cache1")

DIFF = """\
--- /etc/nginx/conf.d/api.conf
+++ /etc/nginx/conf.d/api.conf
@@ -3,5 +3,5 @@
 upstream api {
     zone api 64k;
-    server 10.0.0.99:8000 max_fails=0;  # tried something, kim, a line that is long enough not to fit a phone's screen
+    server 10.0.0.21:8000 max_fails=3;
 }
"""
DRIFT = Difference("drift", "nginx", "Write the sites", "/etc/nginx/conf.d/api.conf", "content", DIFF)
MODE = Difference("drift", "base", "Write sudoers.d/90-slipway", "/etc/sudoers.d/90-slipway", "mode 0644, wanted 0440")
STOPPED = Difference("drift", "redis", "Run redis", "redis-server.service", "stopped, wanted running")
OWED = Difference(
    "owed", "nginx", "Reload nginx", "nginx.service", "reload owed since its configuration was written",
    since="2026-11-20T13:41:07+00:00",
)  # fmt: skip
INTENDED = Difference(
    "intended", "app", "Replace the containers", "api", f"image {RELEASE}, wanted {WANTED}",
    "-image: registry.example/api@sha256:1a9b\n+image: registry.example/api@sha256:77d0\n",
)  # fmt: skip
NOISE = Difference(
    "noise",
    "base",
    "Write the message of the day",
    "/etc/motd",
    "content",
    reason="the provider writes it at every boot",
)
HOLD = Hold(
    "7c1d", "role", "nginx", "we look for the slow requests on it", "ada@ops1",
    "2026-11-20T13:00:00+00:00", "2026-11-20T18:00:00+00:00",
)  # fmt: skip


def clean(began: datetime = BEGAN) -> Reconciliation:
    """A fleet as it was released."""
    hosts = tuple(HostReport(name, release=RELEASE) for name in HOSTS)
    return Reconciliation(
        "production", "clean", "drift", RELEASE, RELEASE, "9f31c2d07a55", "slipway@ops1", began.isoformat(), 1.9, hosts
    )


def with_hosts(run: Reconciliation, outcome: str, **changed: HostReport) -> Reconciliation:
    """The run with other reports of these hosts."""
    hosts = tuple(changed.get(host.name, host) for host in run.hosts)
    return replace(run, outcome=outcome, hosts=hosts)


def report(name: str, *differences: Difference, **fields: object) -> HostReport:
    return replace(HostReport(name, release=RELEASE, differences=differences), **fields)


def found(began: datetime = BEGAN) -> Reconciliation:
    """A bit of everything."""
    run = with_hosts(
        clean(began),
        "failed",
        edge1=report("edge1", DRIFT, OWED, NOISE),
        edge2=report("edge2", replace(DRIFT, held_by=HOLD.id), holds=(HOLD,)),
        worker1=report("worker1", INTENDED, NOISE),
        worker2=report("worker2", INTENDED, replace(MODE, is_mended=True)),
        worker3=HostReport("worker3", False, "no answer from 10.0.0.23 port 22 within 10 s"),
        cache1=report(
            "cache1", STOPPED, error="Run redis: it does not start: Can't open the append-only file: No space"
        ),
    )
    note = "the run of kim@build1 that began at 13:41 did not finish"
    return replace(run, wanted=WANTED, seconds=38.2, commit="77d0c3e1f2a4-dirty", notes=(note,))


def mended(began: datetime = BEGAN) -> Reconciliation:
    """Drift that was put right."""
    return with_hosts(clean(began), "mended", edge1=report("edge1", replace(DRIFT, is_mended=True)))


def yielded(began: datetime = BEGAN) -> Reconciliation:
    """Somebody else was at work."""
    why = "edge1: kim@laptop deploys since 13:58 UTC"
    return replace(clean(began), outcome="yielded", hosts=(), errors=(why,), seconds=0.4)


def large(hosts: int, each: int) -> Reconciliation:
    """Many hosts with many differences."""
    differences = [replace(DRIFT, subject=f"/etc/nginx/conf.d/site{number}.conf") for number in range(each)]
    reports = tuple(report(f"worker{number}", *differences) for number in range(hosts))
    return replace(clean(), outcome="found", hosts=reports)


def main(directory: Path) -> None:
    """A day of runs, with everything on the last page."""
    for number in range(60, 0, -1):
        kind = {5: yielded, 17: mended, 31: found, 30: mended}.get(number, clean)
        keep(kind(BEGAN - number * timedelta(minutes=15)), directory, 50)
    print(keep(found(), directory, 50, picture_of(well().lines())))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
