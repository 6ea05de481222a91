"""The lab itself, on real container hosts: bare, reachable strictly, and gone afterwards."""

from __future__ import annotations

import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import docker
import pytest

from slipway.lab import apt_proxy
from slipway.lab.apt_cache import CONTAINER
from slipway.lab.boot import start
from slipway.lab.engine import LabFailed
from slipway.lab.hosts import hosts_named
from slipway.lab.images import HOST, tag_of
from slipway.lab.lab import Lab
from slipway.lab.layout import LABEL, Layout
from slipway.problems import BadInput
from tests.labs import lab_of_tests

pytestmark = pytest.mark.hosts

NEW, OLD = "worker1", "worker2"
"""One host of each release: Debian 13 and 12."""
BOTH = pytest.mark.parametrize("host", [NEW, OLD])
_COMMAND_SECONDS = 120
"""An installation on a machine that is busy with other tests; a hang ends here."""


@pytest.fixture(scope="module")
def lab():
    """Two hosts in a lab of its own."""
    lab = lab_of_tests("lab-itself", say=print)
    lab.up([NEW, OLD])
    yield lab
    lab.down()


@BOTH
def test_ssh_checks_the_host_key_and_gets_in(lab, host):
    """With the lab's ssh_config: no prompt, no agent, as ops, on the host that was meant."""
    assert _ssh(lab, host, "whoami; hostname").stdout.split() == ["ops", host]


@BOTH
def test_a_host_with_a_wrong_key_is_refused(lab, host, tmp_path):
    """Another key than the known one ends the connection, as does a host that is not known."""
    other = next(line for line in lab.layout.known_hosts.read_text().splitlines() if line.startswith("db1,"))
    wrong, unknown = tmp_path / "wrong", tmp_path / "unknown"
    wrong.write_text(f"{lab.address(host)} {other.split(' ', 1)[1]}\n")
    unknown.write_text("")
    for known_hosts in (wrong, unknown):
        options = ["-o", "ControlPath=none", "-o", f"UserKnownHostsFile={known_hosts}"]
        refused = subprocess.run([*lab.ssh_command(host)[:3], *options, host, "true"], capture_output=True, check=False)
        assert (refused.returncode, b"verification failed" in refused.stderr) == (255, True)


@BOTH
def test_hosts_are_bare(lab, host):
    """No Python, no Docker, no curl, nothing of ours: what a role needs, it has to bring."""
    found = _ssh(lab, host, "command -v python3 python docker curl wget psql nginx; ls -A /opt /srv").stdout
    assert found.split() == ["/opt:", "/srv:"]


@pytest.mark.parametrize(("host", "debian"), [(NEW, "13"), (OLD, "12")])
def test_hosts_run_the_release_they_are_said_to(lab, host, debian):
    """systemd is PID 1 and has nothing to complain about, on Debian 12 and 13."""
    seen = _ssh(lab, host, ". /etc/os-release; echo $VERSION_ID; cat /proc/1/comm; systemctl is-system-running").stdout
    assert seen.split() == [debian, "systemd", "running"]


@BOTH
def test_sudo_asks_for_no_password(lab, host):
    """ops becomes root without a prompt."""
    assert _ssh(lab, host, "sudo -n id -u").stdout == "0\n"


def test_hosts_are_different_machines(lab):
    """Each has a machine id of its own: journals, DHCP and clusters tell machines apart by it."""
    assert len({_ssh(lab, host, "cat /etc/machine-id").stdout for host in (NEW, OLD)}) == 2


def test_packages_come_through_the_cache(lab):
    """Two hosts install at the same time, and what they downloaded is in the cache for the next."""
    install = "sudo apt-get -qq update && sudo apt-get -qq install -y busybox-static >/dev/null && busybox echo in"
    with ThreadPoolExecutor() as pool:
        done = list(pool.map(lambda host: _ssh(lab, host, install), (NEW, OLD)))
    assert [each.stdout for each in done] == ["in\n", "in\n"]
    kept = docker.from_env().containers.get(CONTAINER).exec_run("find /var/cache/apt-cacher-ng -name 'busybox-*.deb'")
    assert len(kept.output.split()) >= 2
    assert apt_proxy() is not None


def test_a_second_up_changes_nothing(lab):
    """Nothing is started, replaced or restarted, and it is quick."""
    before, began = _incarnations(lab), time.monotonic()
    assert lab.up([NEW, OLD]) == []
    assert _incarnations(lab) == before
    assert time.monotonic() - began < 5


def test_a_frozen_host_does_not_answer_until_thawed(lab):
    """Frozen: the connection opens and nothing comes. Thawed: as if nothing had been."""
    lab.freeze(NEW)
    with pytest.raises(subprocess.TimeoutExpired):
        subprocess.run([*lab.ssh_command(NEW), "true"], timeout=2, check=False, capture_output=True)
    lab.thaw(NEW)
    assert _ssh(lab, NEW, "echo back").stdout == "back\n"


@pytest.mark.parametrize("accident", [Lab.stop, Lab.cut_power])
def test_a_host_that_was_off_comes_back_with_its_disk(lab, accident):
    """Shut down in order or not: the same files, the same address, the same host key, systemd content."""
    _ssh(lab, OLD, "echo kept > mark; sync")
    accident(lab, OLD)
    assert {each.host.name: each.state for each in lab.status()}[OLD] == "exited"
    lab.start(OLD)
    assert _ssh(lab, OLD, "cat mark; systemctl is-system-running").stdout.split() == ["kept", "running"]


def test_a_host_that_reboots_itself_comes_back(lab):
    """What `systemctl reboot` does to a machine: off, then on, with another boot id."""
    before = _incarnations(lab)[NEW]
    _ssh(lab, NEW, "sudo systemctl reboot", check=False)
    until = time.monotonic() + 20  # it takes two seconds; the machine may be busy
    while _incarnations(lab)[NEW] == before and time.monotonic() < until:
        time.sleep(0.2)
    lab.start(NEW)  # returns when it is up
    assert _incarnations(lab)[NEW] != before
    assert _ssh(lab, NEW, "systemctl is-system-running").stdout == "running\n"


def test_two_labs_stand_side_by_side(lab):
    """Another name is another network with other addresses; taking it down leaves the first alone."""
    other, before = lab_of_tests("lab-beside"), _incarnations(lab)
    try:
        other.up([NEW])
        assert other.address(NEW) != lab.address(NEW)
        assert _ssh(other, NEW, "hostname -I").stdout.split() == [other.address(NEW)]
    finally:
        other.down()
    assert _incarnations(lab) == before
    assert _ssh(lab, NEW, "hostname -I").stdout.split() == [lab.address(NEW)]


def test_a_lab_of_another_checkout_is_not_touched(lab, tmp_path, monkeypatch):
    """The same name from another project directory is refused, with the way out."""
    (tmp_path / "inventories").mkdir()
    (tmp_path / "deploy.py").touch()
    monkeypatch.chdir(tmp_path)
    for verb in (Lab.up, Lab.down):
        with pytest.raises(BadInput, match="--name or SLIPWAY_LAB"):
            verb(Lab(lab.name))


def test_an_engine_that_gives_no_rights_is_told(lab, tmp_path):
    """Without the right to mount, systemd cannot have its cgroups: one line says so instead of a host that hangs."""
    engine = docker.from_env()
    container = engine.containers.create(tag_of(HOST, 13), cgroupns="private", labels={LABEL: lab.name})
    try:
        with pytest.raises(LabFailed, match="cgroup mounts stay read-only"):
            start(container, Layout(lab.name, tmp_path), hosts_named([NEW])[0], print)
    finally:
        container.remove(force=True, v=True)


def test_down_leaves_nothing():
    """No container, network, volume or file of the lab; and taking down what is down is no error."""
    lab = lab_of_tests("lab-gone")
    lab.up(["cache1"])
    assert sum(_remains(lab)) > 0
    lab.down()
    lab.down()
    assert _remains(lab) == (0, 0, 0)
    assert not lab.layout.state.exists()


def _ssh(lab, host, command, *, check=True):
    return subprocess.run(
        lab.ssh_command(host, command), capture_output=True, text=True, check=check, timeout=_COMMAND_SECONDS
    )


def _incarnations(lab):
    """When each host was last started, by Docker."""
    mine = docker.from_env().containers.list(filters={"label": f"{LABEL}={lab.name}"})
    return {
        each.name.removeprefix(f"slipway-{lab.name}-"): (each.id, each.attrs["State"]["StartedAt"]) for each in mine
    }


def _remains(lab):
    engine, mine = docker.from_env(), {"label": f"{LABEL}={lab.name}"}
    found = (
        engine.containers.list(all=True, filters=mine),
        engine.networks.list(filters=mine),
        engine.volumes.list(filters=mine),
    )
    return tuple(len(each) for each in found)
