"""Drift of the whole fleet goes through the same engine, found and mended while it is asked; untouched, it is clean."""

from __future__ import annotations

import shlex

import pytest

from slipway.reconcile.result import Difference, Reconciliation
from tests.rollout.fleet import EDGES, WORKERS, Fleet
from tests.stack.project import Variant

pytestmark = pytest.mark.hosts

PSQL = "cd /; runuser -u postgres -- psql -XAtqd demo -c "
BY_HAND = {
    "db1": [f"""{PSQL} "alter system set work_mem = '9MB'" -c 'select pg_reload_conf()'"""],
    "cache1": ["sysctl -qw net.ipv4.tcp_keepalive_time=1234"],
    "worker1": ["systemctl disable docker", "dpkg --remove --force-depends curl"],
    "edge1": ["systemctl disable nginx", "systemctl disable --now slipway-prune.timer || true"],
}  # fmt: skip
"""What changes no answer by itself: mending it must not either."""


def _reconciled(variant: Variant, mend: str) -> Reconciliation:
    done = variant.slipway("reconcile", "lab", "--mend", mend, "--json")
    assert done.stdout, done.stderr
    found = Reconciliation.from_json(done.stdout)
    assert found.exit_code == done.returncode
    return found


def _differences(found: Reconciliation) -> dict[str, dict[str, Difference]]:
    return {host.name: {each.subject: each for each in host.differences} for host in found.hosts}


def _spoil(fleet: Fleet, managed: dict[str, list[str]]) -> None:
    """A line more in every file of ours on every host, open to more than it should be; and what is no file."""
    for host, paths in managed.items():
        script = [f"printf '\\n# by hand\\n' >> {shlex.quote(path)}; chmod o+w {shlex.quote(path)}" for path in paths]
        done = fleet.project.lab.exec(host, ["sh", "-c", "\n".join(["set -e", *script, *BY_HAND.get(host, [])])])
        assert done.code == 0, f"{host}: {done.stderr}"


@pytest.mark.sample("configuration", 1)
def test_drift_is_found_and_mended_while_the_fleet_is_asked(fleet: Fleet, variant: Variant) -> None:
    """Every managed file of all seven hosts, and settings, units and a package besides: each is told with its host and
    kind, and mended; no request fails. A second look finds nothing."""
    managed = variant.plan()["managed"]
    _spoil(fleet, managed)
    with fleet.load() as seen:
        mended = _reconciled(variant, "drift")
    again = _reconciled(variant, "none")
    print(f"{seen.told()}\nmended in {mended.seconds:.1f} s, looked at again in {again.seconds:.1f} s")
    told = _differences(mended)
    assert {host: sorted(set(paths) - set(told[host])) for host, paths in managed.items()} == {h: [] for h in managed}
    assert {each.kind for host in told.values() for each in host.values()} == {"drift"}
    assert {"package curl"} <= set(told["worker1"]) and any("docker" in each for each in told["worker1"])
    assert mended.outcome == "mended", mended.errors
    assert [failure for failure in seen.failures if failure.kind != "websocket"] == [], seen.told()
    assert (again.outcome, _differences(again)) == ("clean", {host: {} for host in managed})
    assert {*EDGES, *WORKERS} < set(managed)


@pytest.mark.sample("untouched", 2)
@pytest.mark.parametrize("time", range(50))
def test_an_untouched_fleet_raises_nothing(variant: Variant, time: int) -> None:
    """Told to mend whatever it finds, it finds nothing, and changes nothing."""
    found = _reconciled(variant, "drift")
    print(f"reconcile {time}: {found.seconds:.1f} s")
    assert (found.outcome, found.errors, _differences(found)) == ("clean", (), {host.name: {} for host in found.hosts})
