"""What hosts suffer from is found before anything is changed, and said with what to do."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from slipway.lab.lab import Lab
from tests.certificates import pair
from tests.labs import lab_of_tests
from tests.project import ROOT, Project, new_project
from tests.snapshot import difference, snapshot

pytestmark = pytest.mark.hosts

NEW, OLD = HOSTS = ("worker1", "worker2")
"""A Debian 13 and a Debian 12."""

ROLE = '''
    """A role that needs a bit of everything."""

    from slipway.needs import Needs, Packages, Port, Reach, Room
    from slipway.ops import files
    from slipway.role import Role, RoleData


    class Thing(RoleData):
        """Nothing to be told."""


    def tasks(data, ctx):
        files.directory(name="Make its directory", path="/srv/thing")
        files.put(name="Write it", path="/srv/thing/it", content="it")


    def needs(data, ctx):
        return Needs(
            ports=(Port(ctx.host.address, 8000, "the thing", ("thing.service",)),),
            rooms=(Room("/srv/data", 5, "its data", 100), Room("/srv/closed", 1, "its logs")),
            packages=(Packages(("coreutils",), "the thing", 10),),
            reaches=(Reach(ctx.fleet.member("worker2").address, 8000, "the thing on worker2", "worker2"),)
            if ctx.host.name == "worker1" else (),
        )


    role = Role("thing", data=Thing, tasks=tasks, needs=needs)
'''
DEPLOY = """
    import thing
    from slipway.deploy import converge

    converge("It", {"web": thing})
"""
LISTEN = """\
systemd-run --quiet --unit=squatter perl -e 'use IO::Socket::INET;
  my $s = IO::Socket::INET->new(Listen => 5, LocalPort => 8000, ReuseAddr => 1) or die; sleep 600'
for try in $(seq 100); do ss -Hltn | grep -q :8000 && exit 0; sleep 0.1; done; exit 1
"""
LOCK = """\
systemd-run --quiet --unit=patient perl -e 'use Fcntl; open(F, "+>>", "/var/lib/dpkg/lock-frontend") or die;
  my $l = pack("s s l! l! i", F_WRLCK, 0, 0, 0, 0); fcntl(F, F_SETLK, $l) or die; print "held\\n"; sleep 600'
inode=$(stat -c %i /var/lib/dpkg/lock-frontend)
for try in $(seq 100); do grep -q "POSIX.*:$inode " /proc/locks && exit 0; sleep 0.1; done; exit 1
"""
"""As apt does it: a plain flock would not stop apt."""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    made = lab_of_tests("doctor")
    made.up(HOSTS)
    yield made
    made.down()


@pytest.fixture
def project(tmp_path_factory: pytest.TempPathFactory, lab: Lab) -> Project:
    made = new_project(tmp_path_factory.mktemp("project"), lab, *HOSTS)
    made.write("thing.py", ROLE)
    made.write("deploy.py", DEPLOY)
    return made


def on(lab: Lab, host: str, command: str) -> str:
    done = lab.exec(host, ["sh", "-c", command])
    assert done.code == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


@contextmanager
def broken(lab: Lab, host: str, do: str, undo: str) -> Iterator[None]:
    """A host with something wrong, put right afterwards whatever happens."""
    on(lab, host, do)
    try:
        yield
    finally:
        on(lab, host, undo)


def found(project: Project, *arguments: str, code: int) -> dict[tuple[str, str, str], str]:
    """(host, check, severity) to what is said and what to do, a line each."""
    done = project.slipway("doctor", "--json", *arguments)
    assert done.returncode == code, f"{done.stdout}{done.stderr}"
    told: dict[tuple[str, str, str], str] = {}
    for each in json.loads(done.stdout):
        key = each["host"], each["check"], each["severity"]
        told[key] = f"{told.get(key, '')}{each['what']} -> {each['do']}\n"
    return told


def severities(told: dict[tuple[str, str, str], str], host: str) -> dict[str, str]:
    """Check to severity, of what is not well on a host."""
    return {check: severity for name, check, severity in told if name == host and severity != "ok"}


def test_hosts_that_are_well_have_no_finding(project: Project, lab: Lab) -> None:
    """Exit 0; of each check it is said what was seen; nothing is written on the hosts."""
    before = {host: snapshot(lab, host) for host in HOSTS}
    told = found(project, code=0)
    assert {host: severities(told, host) for host in HOSTS} == {NEW: {}, OLD: {}}
    for host in HOSTS:
        assert {check for name, check, _ in told if name == host} >= {"disk", "memory", "clock", "port", "mirror"}
        assert difference(before[host], snapshot(lab, host)) == []
    # The clock is this machine's own: what is measured is the way of measuring.
    assert float(told[NEW, "clock", "ok"].split()[0]) < 1


def test_everything_that_is_wrong_is_found_at_once(project: Project, lab: Lab) -> None:
    """Port, lock, disk, inodes, read-only, names, mirror, clock: each with who or what it is."""
    no_names = "cp /etc/resolv.conf /root/resolv; : > /etc/resolv.conf; mv /etc/apt/apt.conf.d/00lab /root"
    names = "cat /root/resolv > /etc/resolv.conf; mv /root/00lab /etc/apt/apt.conf.d/"
    small = (
        "mkdir -p /srv/data /srv/closed; mount -t tmpfs -o size=2m,nr_inodes=50 none /srv/data; "
        "mount -t tmpfs -o ro none /srv/closed"
    )
    proxy = "sed -i.bak 's|http://[^\"]*|http://127.0.0.1:9|' /etc/apt/apt.conf.d/00lab"
    tomorrow = (
        r"""printf '#!/bin/sh\nexec /bin/date -d "+1 day" "$@"\n' > /usr/local/bin/date; """
        "chmod 755 /usr/local/bin/date"
    )
    with (
        broken(lab, NEW, LISTEN, "systemctl stop squatter"),
        broken(lab, NEW, LOCK, "systemctl stop patient"),
        broken(lab, NEW, small, "umount /srv/data /srv/closed"),
        broken(lab, NEW, no_names, names),
        broken(lab, OLD, proxy, "mv /etc/apt/apt.conf.d/00lab.bak /etc/apt/apt.conf.d/00lab"),
        broken(lab, OLD, tomorrow, "rm /usr/local/bin/date"),
        broken(lab, OLD, "touch /run/reboot-required", "rm /run/reboot-required"),
        broken(lab, OLD, "systemd-run --quiet --unit=broken false; sleep 0.5", "systemctl reset-failed broken"),
    ):
        pid = on(lab, NEW, "systemctl show --property=MainPID --value squatter").strip()
        project.write("thing.py", ROLE.replace('"coreutils",', '"coreutils", "hello"'))
        told = found(project, code=1)
        text = project.slipway("doctor").stdout
    assert severities(told, NEW) == {
        "port": "error", "disk": "error", "dns": "error", "packages": "warning",
    }  # fmt: skip
    assert f"taken by perl (pid {pid}, squatter.service) -> " in told[NEW, "port", "error"]
    assert "perl (pid " in told[NEW, "packages", "warning"]
    assert "patient.service) holds /var/lib/dpkg/lock-frontend" in told[NEW, "packages", "warning"]
    assert (
        "cannot resolve deb.debian.org (/etc/resolv.conf names no server); to be installed: hello"
        in (told[NEW, "dns", "error"])
    )
    assert severities(told, OLD) == {
        "mirror": "error", "clock": "warning", "reboot": "warning", "units": "warning",
    }  # fmt: skip
    assert "127.0.0.1:9 refuses the connection; to be installed: hello" in told[OLD, "mirror", "error"]
    assert "ahead of the controller" in told[OLD, "clock", "warning"]
    assert "broken.service" in told[OLD, "units", "warning"]
    for words in ("/srv/closed is read-only", "/srv/data has 2 MiB free, 3 MiB too little", "inodes free"):
        assert words in text
    assert text.index("port") < text.index("reboot")


def test_an_error_stops_a_deploy_before_anything_is_touched_on_any_host(project: Project, lab: Lab) -> None:
    """Both entry points exit 1 and say what to do; no host is changed; it can be insisted on."""
    with broken(lab, OLD, LISTEN, "systemctl stop squatter"):
        before = {host: snapshot(lab, host) for host in HOSTS}
        done = project.slipway("deploy")
        plain = project.pyinfra("-y", "deploy.py")
        planned = project.slipway("plan")
        for run in (done, plain):
            assert run.returncode == 1
            assert "not ready, nothing was changed anywhere:\nworker2: port: the thing needs" in run.stderr
            assert "HINT: stop it there" in run.stderr and "--despite port" in run.stderr
        assert planned.returncode == 3
        assert planned.stdout.startswith("error: worker2: port: the thing needs")
        for host in HOSTS:
            # That somebody tried is written down; nothing else is.
            changed = [line for line in difference(before[host], snapshot(lab, host)) if "/var/lib/slipway" not in line]
            assert (changed, on(lab, host, "ls -A /var/lib/slipway").split()) == ([], ["audit.jsonl"])
            assert lab.exec(host, ["test", "-e", "/srv/thing"]).code == 1
        insisted = project.slipway("deploy", "--despite", "port")
    assert insisted.returncode == 0, insisted.stderr
    assert "warning: worker2: port: the thing needs" in insisted.stderr
    assert [on(lab, host, "cat /srv/thing/it; rm -r /srv/thing") for host in HOSTS] == ["it", "it"]


def test_a_host_that_has_no_room_for_its_own_lock_is_told_how_much_is_missing(project: Project, lab: Lab) -> None:
    """Who is at work cannot be written down on a full disk: a run that insists ends at that, and changes nothing."""
    full = "mkdir -p /var/lib/slipway; mount -t tmpfs -o size=4k none /var/lib/slipway; echo > /var/lib/slipway/it"
    project.write(
        "thing.py", ROLE.replace('Room("/srv/closed", 1, "its logs")', 'Room("/var/lib/slipway", 9, "records")')
    )
    with broken(lab, OLD, full, "umount /var/lib/slipway"):
        done, insisting = project.slipway("deploy"), project.slipway("deploy", "--despite", "disk")
    what = "worker2: disk: /var/lib/slipway has 0 MiB free, 9 MiB too little for this run: records 9 MiB"
    for each in (done, insisting):
        assert (each.returncode, what in each.stderr) == (1, True), each.stderr
    assert "No space left on device" in insisting.stderr
    assert [lab.exec(host, ["test", "-e", "/srv/thing"]).code for host in (OLD, NEW)] == [1, 1]


def test_a_warning_is_told_and_the_deploy_goes_on(project: Project, lab: Lab) -> None:
    """A lock that somebody holds does not matter to a run that installs nothing."""
    with broken(lab, NEW, LOCK, "systemctl stop patient"):
        done = project.slipway("deploy", "--json")
    assert done.returncode == 0, done.stderr
    warnings = [event for event in map(json.loads, done.stdout.splitlines()) if event["kind"] == "warning"]
    assert [event["details"] for event in warnings] == [{"hosts": ["worker1"], "check": "packages"}]
    on(lab, NEW, "rm -r /srv/thing")
    on(lab, OLD, "rm -r /srv/thing")


def test_a_host_without_root_or_without_power_does_not_hide_the_others(project: Project, lab: Lab) -> None:
    """sudo that asks for a password, a host that is off, a name that nobody knows: each is told, in seconds."""
    with broken(lab, NEW, "mv /etc/sudoers.d/ops /root/", "mv /root/ops /etc/sudoers.d/"):
        told = found(project, code=1)
    assert severities(told, NEW) == {"sudo": "error"}
    assert "password is required" in told[NEW, "sudo", "error"] and "NOPASSWD" in told[NEW, "sudo", "error"]
    assert severities(told, OLD) == {}

    inventory = (project.path / "inventories/all.py").read_text()
    address = lab.address(OLD)
    unknown = inventory.replace(f"'ssh_hostname': '{address}'", "'ssh_hostname': 'no.invalid'")
    project.write("inventories/all.py", unknown)
    began = time.monotonic()
    told = found(project, code=1)
    assert time.monotonic() - began < 20  # two or three; the rest is for a busy machine
    assert told[OLD, "ssh", "error"].startswith("cannot resolve no.invalid (")
    # Nobody could ask the other host whether anything listens there.
    assert severities(told, NEW) == {"reach": "warning"}

    project.write("inventories/all.py", inventory)
    lab.stop(OLD)
    try:
        told = found(project, code=1)
    finally:
        lab.start(OLD)
    assert told[OLD, "ssh", "error"].startswith((f"{address} does not answer", f"there is no route to {address}"))
    assert severities(told, NEW) == {"reach": "warning"}


def test_bare_hosts_are_ready_for_every_service_and_a_bad_certificate_is_found(project: Project, lab: Lab) -> None:
    """The project's own roles, on hosts that have nothing yet; then with a certificate that expired yesterday."""
    for name in ("roles", "templates"):
        (project.path / name).symlink_to(ROOT / name)
    project.write(
        "deploy.py",
        """
        from roles import base, docker, nginx, postgres, redis
        from slipway.deploy import converge

        converge("All", {"web": base, "workers": docker, "postgres": postgres})
        converge("Edges", {"nginx": nginx, "redis": redis})
        """,
    )
    groups = ("web", "workers", "postgres", "nginx", "redis")
    project.inventory(**{group: list(HOSTS) for group in groups})
    project.write("group_data/redis.py", 'redis = {"protected_mode": False}\n')
    chain, key = pair(-1, datetime.now(UTC))
    project.write("a.crt", chain)
    project.write("a.key", key)
    site = "{'name': 'a', 'hosts': ['a.test']}"
    project.write("group_data/nginx.py", f'nginx = {{"extra_sites": [{site}]}}\n')
    told = found(project, code=0)
    assert {host: severities(told, host) for host in HOSTS} == {NEW: {}, OLD: {}}
    certificate = "{'hosts': ['a.test'], 'certificate': 'a.crt', 'key_file': 'a.key'}"
    project.write("group_data/nginx.py", f'nginx = {{"extra_sites": [{site}], "certificates": [{certificate}]}}\n')
    told = found(project, code=1)
    assert severities(told, NEW) == {"certificate": "error"}
    assert told[NEW, "certificate", "error"].startswith("a.crt has expired on ")
