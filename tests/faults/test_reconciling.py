"""Reconcile on a host that has everything: each thing that somebody changes is found, named and mended; nothing else is
touched."""

from __future__ import annotations

import json
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import pytest

from slipway.reconcile.result import Difference, Reconciliation
from tests.faults.house import OTHER, House
from tests.faults.state import differences
from tests.faults.sweep import Sweep, stands_still

pytestmark = pytest.mark.hosts

PSQL = "cd /; runuser -u postgres -- psql -XAtqd demo -c "
REDIS = (
    "REDISCLI_AUTH=$(cat /var/lib/slipway/secrets/redis-admin) "
    "redis-cli --no-auth-warning -s /run/redis/redis-server.sock --user slipway "
)


@dataclass(frozen=True)
class ByHand:
    """Something that somebody does on the host, and what reconcile calls the thing."""

    script: str
    subject: str
    """Pattern."""


BY_HAND = (
    ByHand("systemctl disable --now slipway-prune.timer", r"slipway-prune\.timer"),
    ByHand("dpkg --remove --force-depends curl", r"package curl"),
    ByHand("sysctl -qw net.ipv4.tcp_keepalive_time=1234", r"sysctl net\.ipv4\.tcp_keepalive_time"),
    ByHand("usermod -c 'by hand' visitor", r"user visitor"),
    ByHand(
        "sed '/worker1.# slipway/d' /etc/hosts > /root/hosts; cat /root/hosts > /etc/hosts; rm /root/hosts",
        r"/etc/hosts",
    ),
    ByHand("docker stop -t 1 demo-worker-1", r"container demo-worker-1"),
    ByHand("docker rm -f demo-scheduler-1", r"container demo-scheduler-1"),
    ByHand(
        "image=$(docker inspect -f '{{.Config.Image}}' demo-api-1); docker rm -f demo-api-1;"
        'docker run -d --name demo-api-1 -e HOUSE=other "$image" sleep 600',
        r"container demo-api-1",
    ),
    ByHand(f"""{PSQL} "alter system set work_mem = '9MB'" -c 'select pg_reload_conf()'""", r"postgresql\.auto\.conf"),
    ByHand(f"{PSQL} 'alter role reports connection limit 77'", r"role reports"),
    ByHand(f"{PSQL} 'revoke connect on database demo from public, reports'", r"grant to reports on database of demo"),
    ByHand(f"{REDIS} config set timeout 77", r"redis timeout"),
    ByHand("systemctl disable nginx", r"nginx"),
)


class Fleet:
    """The house, by what reconcile says of it."""

    def __init__(self, house: House) -> None:
        self.house = house

    def reconcile(self, mend: str = "none") -> Reconciliation:
        """What it says, whose exit code is the one that it ended with."""
        done = self.house.slipway("reconcile", "house", "--mend", mend, "--json")
        assert done.stdout, done.stderr
        found = Reconciliation.from_json(done.stdout)
        assert found.exit_code == done.returncode
        return found

    def managed(self) -> list[str]:
        """Every path that operations say is ours."""
        done = self.house.slipway("plan", "house", "--json")
        paths: list[str] = json.loads(done.stdout)["managed"][self.house.host]
        return paths

    def spoil(self, paths: list[str]) -> None:
        """Content, mode and owner of each; of PostgreSQL's files the group, or it could not say what it runs with."""
        for path in paths:
            word = shlex.quote(path)
            owner = ":daemon" if path.startswith("/etc/postgresql/") else "daemon"
            self.house.told(f"printf '\\n# by hand\\n' >> {word}; chmod 0604 {word}; chown {owner} {word}")


@pytest.fixture(scope="module")
def fleet(house: House, sweep: Sweep) -> Fleet:
    sweep.go("A")
    return Fleet(house)


def told(found: Reconciliation) -> list[Difference]:
    return [each for host in found.hosts for each in host.differences]


def shown(found: Reconciliation) -> list[str]:
    return [f"{each.kind} {each.role} {each.subject}: {each.what}" for each in told(found)] + list(found.errors)


@contextmanager
def data(house: House, text: str) -> Iterator[None]:
    """The project says this besides, meanwhile."""
    file = house.path / "group_data/house.py"
    before = file.read_text(encoding="utf-8")
    file.write_text(before + text, encoding="utf-8")
    try:
        yield
    finally:
        file.write_text(before, encoding="utf-8")


def test_a_host_that_nobody_touched_is_clean_time_after_time(fleet: Fleet) -> None:
    """Nothing is found and nothing is changed, whatever it may mend."""
    for mend in ("none", "drift", "all"):
        found = fleet.reconcile(mend)
        assert (found.outcome, shown(found)) == ("clean", [])
    assert found.release == found.wanted != ""


def test_whatever_was_changed_by_hand_is_drift_and_is_mended(fleet: Fleet, sweep: Sweep) -> None:
    """Every managed file's content, mode and owner, and one thing of each other kind, at once; then it is as it was."""
    before, files = sweep.now(), fleet.managed()
    for each in BY_HAND:
        fleet.house.told(each.script)
    fleet.spoil(files)
    found = fleet.reconcile()
    assert (found.outcome, [host.name for host in found.hosts]) == ("found", [fleet.house.host])
    drift = {each.subject: each for each in told(found) if each.kind == "drift"}
    assert sorted(set(files) - drift.keys()) == []
    assert [each.subject for each in BY_HAND if not any(re.fullmatch(each.subject, one) for one in drift)] == []
    assert {each.role for each in drift.values()} >= {"base", "docker", "postgres", "redis", "nginx", "app"}
    assert "-# by hand" in drift["/etc/sysctl.d/99-zz-slipway.conf"].diff
    assert "content, mode" in drift["/etc/sysctl.d/99-zz-slipway.conf"].what
    assert "intended" not in {each.kind for each in told(found)}
    mended = fleet.reconcile("drift")
    assert mended.outcome == "mended", shown(mended)
    assert all(each.is_mended for each in told(mended))
    again = fleet.reconcile()
    assert (again.outcome, shown(again)) == ("clean", [])
    # What took our container's name is somebody's: it is off, beside ours, for them to look at.
    theirs = fleet.house.told("docker ps -a --filter name=demo-api-1-not-ours --format '{{.Names}} {{.State}}'").split()
    assert theirs[1:] == ["exited"]
    fleet.house.told(f"docker rm {theirs[0]}")
    # An edited tree of the edge is replaced by one beside it, which has its own name in its files.
    left = [line for line in differences(before, sweep.now()) if "/etc/nginx/slipway/live/" not in line]
    assert left == []


def test_what_the_repository_wants_and_nobody_has_deployed_is_left_alone(fleet: Fleet, sweep: Sweep) -> None:
    """It is intended; drift beside it goes, what is intended does not come; `all` brings it."""
    before = sweep.now()
    fleet.house.choose("B")
    found = fleet.reconcile()
    assert (found.outcome, {each.kind for each in told(found)}) == ("clean", {"intended"}), shown(found)
    assert found.wanted != found.release
    fleet.house.told("usermod -c 'by hand' visitor; printf '# by hand' >> /etc/sysctl.d/99-zz-slipway.conf")
    drift = {each.subject for each in told(fleet.reconcile()) if each.kind == "drift"}
    assert drift == {"user visitor", "/etc/sysctl.d/99-zz-slipway.conf"}
    mended = fleet.reconcile("drift")
    assert mended.outcome == "mended", shown(mended)
    assert differences(before, sweep.now()) == []
    assert {each.kind for each in told(fleet.reconcile())} == {"intended"}
    brought = fleet.reconcile("all")
    sweep.at = "B"
    assert (brought.outcome, brought.release) == ("mended", found.wanted), shown(brought)
    assert fleet.reconcile().outcome == "clean"


def test_a_deploy_that_was_killed_is_owed_and_finished(fleet: Fleet, sweep: Sweep) -> None:
    """Since when is told; afterwards all is as that deploy would have left it."""
    sweep.set_out()
    struck = fleet.house.struck("during", "change:20")
    struck.communicate()
    assert struck.returncode == -signal.SIGKILL
    found = fleet.reconcile()
    assert (found.outcome, {each.kind for each in told(found)}) == ("found", {"owed"}), shown(found)
    assert all(datetime.fromisoformat(each.since) for each in told(found))
    mended = fleet.reconcile("drift")
    assert mended.outcome == "mended", shown(mended)
    after = fleet.reconcile()
    assert (after.outcome, shown(after), after.release) == ("clean", [], after.wanted)


def test_noise_is_counted_and_raises_nothing(fleet: Fleet) -> None:
    """It is told with its reason, and left as it is."""
    fleet.house.told("usermod -c 'by hand' visitor")
    with data(fleet.house, 'reconcile = {"noise": [{"subject": "user visitor", "reason": "the provider does it"}]}\n'):
        for mend in ("none", "drift", "all"):
            found = fleet.reconcile(mend)
            assert found.outcome == "clean", shown(found)
            assert [(each.kind, each.reason) for each in told(found)] == [("noise", "the provider does it")]
    assert "by hand" in fleet.house.told("getent passwd visitor")
    assert fleet.reconcile("drift").outcome == "mended"


def test_what_somebody_holds_is_told_and_left_alone(fleet: Fleet) -> None:
    """Deploy asks, status and the audit say so; taken back, it is mended."""
    house, path = fleet.house, "/etc/sysctl.d/99-zz-slipway.conf"
    done = house.slipway("hold", "house", path, "--reason", "we look at it", "--until", "1h")
    assert done.returncode == 0, done.stderr
    house.told(f"printf '# by hand' >> {path}; usermod -c 'by hand' visitor")
    found = fleet.reconcile("drift")
    left = [each for each in told(found) if not each.is_mended]
    assert (found.outcome, [(each.kind, each.subject) for each in left]) == ("held", [("drift", path)]), shown(found)
    assert left[0].held_by in found.holds
    assert "by hand" in house.told(f"cat {path}")
    assert "by hand" not in house.told("getent passwd visitor")
    refused = house.slipway("deploy", "house")
    assert (refused.returncode, "--despite-holds" in refused.stderr) == (2, True), refused.stderr
    assert "we look at it" in house.slipway("status", "house", "--json").stdout
    assert "we look at it" in house.slipway("hold", "house", "--list", "--json").stdout
    assert house.told("stat -c '%a %U' /var/lib/slipway/holds.json").strip() == "600 root"
    assert house.slipway("unhold", "house", path).returncode == 0
    runs = json.loads(house.slipway("audit", "house", "--json").stdout)
    assert {"hold", "unhold", "reconcile --mend drift"} <= {each["command"] for each in runs}
    assert fleet.reconcile("drift").outcome == "mended"


@contextmanager
def locked(house: House) -> Iterator[None]:
    """Somebody holds the host's lock, as a run of theirs would."""
    holder = '{"who": "ada@ops1", "since": "08:00", "doing": "deploy house", "pid": "42", "by": "person"}'
    pid = house.told(
        "mkdir -p /run/slipway; setsid flock /run/slipway/lock sleep 600 > /dev/null 2>&1 & "
        f'echo $! | tee /run/slipway/pid; echo "$! "{shlex.quote(holder)} > /run/slipway/held-ada'
    )
    try:
        yield
    finally:
        house.told(f"kill -- -{int(pid)}; rm -f /run/slipway/held-ada /run/slipway/pid")


def test_it_gives_way_to_whoever_is_at_work(fleet: Fleet) -> None:
    """Whoever has the lock is named; nothing is compared, and nothing is touched."""
    fleet.house.told("usermod -c 'by hand' visitor")
    with locked(fleet.house):
        found = fleet.reconcile("all")
    assert (found.outcome, found.hosts) == ("yielded", ())
    assert found.errors == (f"{fleet.house.host}: ada@ops1 has held the lock since 08:00 (deploy house, pid 42)",)
    assert "by hand" in fleet.house.told("getent passwd visitor")
    assert fleet.reconcile("drift").outcome == "mended"


def test_it_never_reverts_what_somebody_has_released_meanwhile(fleet: Fleet, sweep: Sweep) -> None:
    """It has looked, and is about to take the lock; somebody deploys; with the lock it looks again, and gives way."""
    house, log = fleet.house, fleet.house.path / "reconcile.jsonl"
    house.told("usermod -c 'by hand' visitor")
    words = [
        "-m",
        "tests.faults.killed",
        "before",
        "change:1",
        "stop",
        str(log),
        "reconcile",
        "house",
        "--mend",
        "drift",
    ]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "stdin": subprocess.DEVNULL}
    process = subprocess.Popen([sys.executable, *words], cwd=house.path, env=house.env(), text=True, **pipes)  # type: ignore[call-overload]
    assert stands_still(process)
    try:
        sweep.at = OTHER[sweep.at]
        house.choose(sweep.at)
        house.deploy()
    finally:
        process.send_signal(signal.SIGCONT)
    said, _ = process.communicate()
    assert (process.returncode, "another run has been here meanwhile" in said) == (75, True), said
    after = fleet.reconcile()
    assert (after.outcome, after.release) == ("clean", after.wanted), shown(after)
