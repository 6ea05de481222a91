"""Packages on real hosts: installed once, waited for, repaired, and refused with what could be had instead."""

from __future__ import annotations

import time

import pytest

from slipway.ops import packages
from tests.roles.convergence import Outcome
from tests.roles.debians import HOSTS, NEW, OLD, Debians

pytestmark = pytest.mark.hosts

LOCK = """\
nohup setsid perl -e 'use Fcntl; open(F, "+>>", "$ARGV[0]") or die; \
  my $l = pack("s s l! l! i", F_WRLCK, 0, 0, 0, 0); fcntl(F, F_SETLK, $l) or die; sleep $ARGV[1]' \
  %s %d > /dev/null 2>&1 &
sleep 0.3
"""
"""Holds a lock as apt does (fcntl: a plain flock does not block it), for so many seconds."""

SLOW = """\
dpkg -P slow > /dev/null 2>&1; set -e; mkdir -p /tmp/slow/DEBIAN; cd /tmp
printf 'Package: slow\\nVersion: 1\\nArchitecture: all\\nMaintainer: x <x@example.org>\\nDescription: x\\n' \
  > slow/DEBIAN/control
printf '#!/bin/sh\\n[ ! -e /tmp/be-slow ] || exec sleep 60\\n' > slow/DEBIAN/postinst; chmod 755 slow/DEBIAN/postinst
dpkg-deb --build slow slow.deb > /dev/null
touch /tmp/be-slow
setsid dpkg -i slow.deb > /dev/null 2>&1 & dpkg=$!
until dpkg-query -W -f '${db:Status-Status}' slow 2> /dev/null | grep -q half-configured; do sleep 0.1; done
kill -KILL -- -$dpkg; rm /tmp/be-slow
"""
"""A package whose installation is killed half way."""


def test_installed_held_and_gone(debians: Debians) -> None:
    """Packages come, are held, stay as they are in a second run, and go."""

    def wanted() -> None:
        packages.installed(names=["cron", "tree"], hold=["tree"], start=False, name="Install")

    assert {o.changed[0] for o in debians.run(wanted).values()} == {"Install"}
    for host in HOSTS:
        assert debians.told(host, "apt-mark showhold tree") == "tree"
        # Its service was not there before, so that nothing may have started it.
        assert debians.told(host, "systemctl is-active cron || true") == "inactive"
        assert debians.told(host, "systemctl is-enabled cron") == "enabled"
        assert debians.told(host, "ls /usr/sbin/policy-rc.d 2>/dev/null || true") == ""
    assert all(o.is_unchanged for o in debians.run(wanted).values())

    debians.run(lambda: packages.held(names=["tree"], hold=False, name="Let it go"))
    debians.run(lambda: packages.absent(names=["cron", "tree"], purge=True, name="Remove"))
    for host in HOSTS:
        assert debians.shell(host, "dpkg-query -W cron tree").code == 1
    again = debians.run(lambda: packages.absent(names=["cron", "tree"], purge=True, name="Remove"))
    assert all(o.is_unchanged for o in again.values())


def test_running_services_may_be_restarted_while_new_ones_may_not_start(debians: Debians) -> None:
    """A policy that keeps new services quiet does not stop one that runs from coming back after its upgrade."""
    debians.both("apt-get install -y -q cron > /dev/null && systemctl start cron")
    # Left unconfigured, cron is finished, and with that restarted, by the next installation.
    debians.both("cd /tmp && apt-get download -q cron > /dev/null 2>&1 && dpkg --unpack cron_*.deb > /dev/null")
    outcomes = debians.run(lambda: packages.installed(names=["cron", "tree"], start=False, name="Install"))
    assert all(o.error == "" for o in outcomes.values())
    for host in HOSTS:
        assert debians.told(host, "systemctl is-active cron") == "active"
    debians.run(lambda: packages.absent(names=["cron", "tree"], purge=True, name="Remove"))


@pytest.mark.parametrize("lock", ["/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/lock", "/var/lib/apt/lists/lock"])
def test_a_lock_held_by_another_is_waited_for(debians: Debians, lock: str) -> None:
    """While another process has the package manager, an installation waits, and then goes on."""
    debians.told(NEW, "dpkg -P tree > /dev/null 2>&1 || true")
    if "lists" in lock:
        debians.told(NEW, "rm -f /var/lib/slipway/package-lists")
    debians.told(NEW, LOCK % (lock, 6))
    began = time.monotonic()
    outcome = debians.run(lambda: packages.installed(names=["tree"], name="Install"), [NEW])[NEW]
    assert outcome.error == ""
    assert time.monotonic() - began > 4
    assert debians.told(NEW, "tree --version").startswith("tree v")


def test_who_keeps_the_lock_for_too_long_is_named(debians: Debians, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the time it may take, the error names the process that has the package manager."""
    monkeypatch.setattr(packages, "LOCK_SECONDS", 3)
    debians.told(NEW, "dpkg -P tree > /dev/null 2>&1 || true")
    debians.told(NEW, LOCK % ("/var/lib/dpkg/lock-frontend", 25))
    outcome = debians.run(lambda: packages.installed(names=["tree"], name="Install"), [NEW])[NEW]
    assert "still uses the package manager after 3 s" in outcome.error
    assert "sleep $ARGV[1]" in outcome.error, "the command of the process that holds it is shown"
    debians.shell(NEW, "pkill perl")


def test_an_interrupted_dpkg_is_finished_first(debians: Debians) -> None:
    """A dpkg that was killed in a package's script does not block: it is finished, and said to be."""
    debians.both(SLOW)
    outcomes = debians.run(lambda: packages.repaired(name="Finish an interrupted dpkg"))
    for host in HOSTS:
        assert "slow: ok half-configured" in outcomes[host].planned[0]
        assert debians.told(host, "dpkg --audit; dpkg-query -W -f '${db:Status-Status}' slow") == "installed"
    assert all(o.is_unchanged for o in debians.run(lambda: packages.repaired(name="Again")).values())


def test_an_installation_finishes_an_interrupted_dpkg_too(debians: Debians) -> None:
    """Whoever installs a package does not have to know that dpkg was interrupted."""
    debians.told(OLD, "dpkg -P tree slow > /dev/null 2>&1 || true")
    debians.told(OLD, SLOW)
    outcome = debians.run(lambda: packages.installed(names=["tree"], name="Install"), [OLD])[OLD]
    assert outcome.error == ""
    assert debians.told(OLD, "dpkg --audit") == ""
    debians.both("dpkg -P slow > /dev/null 2>&1; rm -rf /tmp/slow /tmp/slow.deb")


def test_a_package_that_dpkg_left_half_installed_is_installed_again(debians: Debians) -> None:
    """As it is after a power cut while its files were being unpacked."""
    debians.told(NEW, "apt-get install -y -q tree > /dev/null; rm /usr/bin/tree")
    torn = "s/^Status: install ok installed/Status: install reinstreq half-installed/"
    debians.told(NEW, f"sed -i '/^Package: tree$/,/^$/{torn}' /var/lib/dpkg/status")
    outcome = debians.run(lambda: packages.repaired(name="Repair"), [NEW])[NEW]
    assert outcome.error == ""
    assert "tree: reinstreq half-installed" in outcome.planned[0]
    assert debians.told(NEW, "dpkg --audit; tree --version").startswith("tree v")


def test_a_policy_that_a_dead_run_left_is_removed(debians: Debians) -> None:
    """What keeps services from starting during an installation does not outlive the next run."""
    debians.told(NEW, "printf '#!/bin/sh\\n# slipway: start nothing new\\nexit 101\\n' > /usr/sbin/policy-rc.d")
    assert debians.run(lambda: packages.repaired(name="Repair"), [NEW])[NEW].error == ""
    assert debians.told(NEW, "ls /usr/sbin/policy-rc.d 2>/dev/null || true") == ""


def test_somebody_elses_policy_is_left_alone(debians: Debians) -> None:
    """A policy-rc.d that is not ours stays, and stays in force."""
    debians.told(NEW, "printf '#!/bin/sh\\nexit 101\\n' > /usr/sbin/policy-rc.d; chmod 755 /usr/sbin/policy-rc.d")
    debians.told(NEW, "dpkg -P tree > /dev/null 2>&1 || true")
    debians.run(lambda: packages.installed(names=["tree"], start=False, name="Install"), [NEW])
    assert debians.told(NEW, "cat /usr/sbin/policy-rc.d; rm /usr/sbin/policy-rc.d") == "#!/bin/sh\nexit 101"


def test_what_cannot_be_had_is_told_with_what_can(debians: Debians) -> None:
    """An unknown package, a virtual one and a version that is gone: each is named, with what there is instead."""

    def wanted() -> None:
        packages.installed(
            names=["tree", "redis-srver", "mail-transport-agent"], versions={"nginx-light": "9.9*"}, name="Install"
        )

    debians.told(NEW, "dpkg -P tree > /dev/null 2>&1 || true")
    error = debians.run(wanted, [NEW])[NEW].error
    assert "nginx-light: no version 9.9*; there are: 1.26" in error
    assert "redis-srver: this host's package sources have no such package; names that begin alike: redi" in error
    assert "mail-transport-agent: this host's package sources have no such package; name one that provides it" in error
    assert debians.shell(NEW, "dpkg-query -W tree").code == 1, "all is refused before anything is installed"


def test_an_older_version_that_is_asked_for_replaces_a_held_newer_one(debians: Debians) -> None:
    """A version is what the data says, hold or no hold; the hold stays."""
    version = held_tree(debians)
    debians.told(NEW, repacked("99-1"))
    outcome = asked_for(debians, version)
    assert outcome.error == ""
    assert outcome.planned == [f"package tree: 99-1 -> {pattern(version)}", "package tree hold: hold"]
    assert debians.told(NEW, TREE) == f"{version}\ntree"
    debians.told(NEW, "apt-mark unhold tree > /dev/null")


def test_an_apt_that_has_not_noticed_what_dpkg_did_is_asked_again(debians: Debians) -> None:
    """apt knows dpkg's status by its second and its size: where both stayed, it says all is done, and nothing was."""
    version = held_tree(debians)
    # dpkg takes the hold away with a longer word, so that a version that is as much shorter gives the same size.
    other = "9" * (len(version) - len("install") + len("hold") - 2) + "-1"
    unnoticed = "cp -p /var/lib/dpkg/status /root/status; {}; touch -r /root/status /var/lib/dpkg/status"
    debians.told(NEW, unnoticed.format(repacked(other)))
    assert f"Installed: {version}" in debians.told(NEW, "apt-cache policy tree"), "else this test shows nothing"
    assert asked_for(debians, version).error == ""
    assert debians.told(NEW, TREE) == f"{version}\ntree"
    debians.told(NEW, "apt-mark unhold tree > /dev/null")


TREE = "dpkg-query -W -f '${Version}' tree; echo; apt-mark showhold tree"


def held_tree(debians: Debians) -> str:
    """The package is there, of its repository's version, and held: that version."""
    debians.told(NEW, "dpkg -P --force-hold tree > /dev/null 2>&1 || true")
    outcome = debians.run(lambda: packages.installed(names=["tree"], hold=["tree"], name="Install"), [NEW])[NEW]
    assert outcome.error == ""
    return debians.told(NEW, "dpkg-query -W -f '${Version}' tree")


def repacked(version: str) -> str:
    """Script that installs the same package under another version."""
    return (
        "set -e; cd /tmp; rm -rf t; mkdir t; apt-get download -q tree > /dev/null 2>&1; dpkg-deb -R tree_*.deb t; "
        f"sed -i 's/^Version: .*/Version: {version}/' t/DEBIAN/control; dpkg-deb -b t new.deb > /dev/null; "
        "dpkg -i --force-hold new.deb > /dev/null; rm -rf t new.deb tree_*.deb"
    )


def pattern(version: str) -> str:
    return version.split("-")[0] + "*"


def asked_for(debians: Debians, version: str) -> Outcome:
    """That version is asked for, and held."""
    versions = {"tree": pattern(version)}
    return debians.run(lambda: packages.installed(names=[], versions=versions, hold=["tree"], name="Install"), [NEW])[
        NEW
    ]
