"""The role base: bad data refused, files as they should be, and on real hosts brought, kept and mended."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from roles.base import role, verify
from roles.base.data import Base, Journald
from roles.base.logs import journald_settings
from slipway.facts.sysctl import SysctlFact
from slipway.ops import names, sysctl
from slipway.render import render
from tests.roles.debians import HOSTS, NEW, OLD, Debians

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ5eOfdB2VOMLhPaa3ImRbTG7a6zzdoD6IzBtz4wKGZ4 alice"


@pytest.mark.parametrize(
    ("declared", "says"),
    [
        ({"timezone": "Europe/Berln"}, "no zone of the tz database"),
        ({"packages": ["curl", "nginx-"]}, "pattern"),
        ({"packages": ["curl"], "absent_packages": ["curl"]}, "both wanted and absent"),
        ({"sysctl": {"vm.swappiness; reboot": 1}}, "pattern"),
        ({"sysctl": {"kernel.core_pattern": "|/bin/sh -c 'id'\n"}}, "one line of letters"),
        ({"users": [{"name": "Alice"}]}, "pattern"),
        ({"users": [{"name": "alice"}, {"name": "alice"}]}, "there twice"),
        ({"users": [{"name": "alice", "uid": 0}]}, "greater than or equal to 1000"),
        ({"users": [{"name": "alice", "authorized_keys": ["ssh-ed25519 AAAA"]}]}, "no public key"),
        ({"users": [{"name": "alice", "authorized_keys": [KEY[:60]]}]}, "no public key"),
        ({"users": [{"name": "alice", "authorized_keys": ["-----BEGIN PRIVATE KEY-----"]}]}, "private key"),
        ({"users": [{"name": "alice", "authorized_keys": [f"{KEY}\nssh-rsa x"]}]}, "no public key"),
        ({"users": [{"name": "alice", "sudo": ["ALL\nbob ALL=(ALL) ALL"]}]}, "no sudo rule"),
        ({"users": [{"name": "alice", "home": "/home/$(id)"}]}, "pattern"),
        ({"users": [{"name": "alice"}], "absent_users": ["alice"]}, "both wanted and absent"),
        ({"locale": "de_DE"}, "pattern"),
        ({"journald": {"system_max_use": "lots"}}, "pattern"),
        ({"log_rotations": {"app": {"paths": []}}}, "at least 1"),
        ({"log_rotations": {"app": {"paths": ["/var/log/*.log { size 1 }"]}}}, "pattern"),
        ({"ntp_servers": ["time.example.org iburst"]}, "pattern"),
        ({"ntp_daemon": "ntpd"}, "timesyncd"),
        ({"unattended_upgrades": {"origins": ['x"; DPkg::Post-Invoke {"id";};']}}, "no origin pattern"),
        ({"apt_lock_seconds": "300"}, "valid integer"),
    ],
)
def test_bad_data_is_refused(declared: dict[str, Any], says: str) -> None:
    """What a host would choke on, or run, is told before anything is connected to."""
    with pytest.raises(ValidationError, match=says):
        Base.model_validate(declared)


def test_a_key_with_options_is_taken() -> None:
    """Options before a key are its owner's business."""
    user = {"name": "alice", "authorized_keys": [f'from="10.0.0.0/8",no-pty {KEY}']}
    Base.model_validate({"users": [user]})


def test_data_adds_to_the_default_kernel_settings() -> None:
    """A setting named in data wins over the default one; the other defaults stay."""
    wanted = Base(sysctl={"vm.swappiness": 60, "net.ipv4.ip_forward": 1}).kernel_settings
    assert wanted["vm.swappiness"] == "60"
    assert wanted["net.ipv4.ip_forward"] == "1"
    assert wanted["net.core.somaxconn"] == "4096"


def test_fleet_names_come_first_and_others_lines_stay() -> None:
    """Our lines are replaced wherever they were left; all else stays as it is, its missing line end included."""
    text = f"127.0.0.1 localhost\n10.0.0.9 old {names.MARK}\n# a comment\n10.9.9.9 printer"
    wanted = names.with_fleet(text, {"10.0.0.1": ["web1.lan", "web1"], "10.0.0.2": ["web2"]})
    assert wanted == (
        f"10.0.0.1\tweb1.lan web1\t{names.MARK}\n10.0.0.2\tweb2\t{names.MARK}\n"
        "127.0.0.1 localhost\n# a comment\n10.9.9.9 printer"
    )
    assert names.with_fleet(wanted, {"10.0.0.1": ["web1.lan", "web1"], "10.0.0.2": ["web2"]}) == wanted


def test_a_container_sets_only_what_is_its_own() -> None:
    """In a container the machine's settings are left alone; on a host of its own every one is set."""
    paths = {"vm/swappiness": "rw-r--r--", "net/core/somaxconn": "rw-r--r--", "net/core/rmem_max": "r--r--r--"}
    answers = [*(f"-{mode} {path}" for path, mode in paths.items()), *(f"{path}:1" for path in paths)]
    shared, own = SysctlFact().process(["shared", *answers]), SysctlFact().process(["own", *answers])
    assert [key for key in shared.values if shared.may_set(key)] == ["net.core.somaxconn"]
    assert all(own.may_set(key) for key in [*own.values, "net.unknown"])


def test_journald_settings_have_systemds_names() -> None:
    """What is not said is left to systemd."""
    settings = journald_settings(Journald(system_max_use="500M"))
    assert settings["SystemMaxUse"] == "500M"
    assert "SystemMaxFileSize" not in settings


def test_upgrades_leave_alone_what_a_rollout_orders() -> None:
    """The engine and the data services are on the list of what the host does not upgrade by itself."""
    text = render("base/50unattended-upgrades.j2", upgrades=Base().unattended_upgrades)
    for name in ("docker", "containerd", "postgresql", "redis"):
        assert f'"{name}";' in text


DATA: dict[str, Any] = {
    "extra_packages": ["tree"],
    "timezone": "Europe/Berlin",
    "domain": "fleet.internal",
    "manage_hostname": True,
    "sysctl": {"net.ipv4.tcp_keepalive_time": 600, "vm.swappiness": 1},
    "journald": {"system_max_use": "100M"},
    "log_rotations": {"app": {"paths": ["/var/log/app/*.log"], "keep": 30, "reload_unit": "cron.service"}},
    "users": [{"name": "alice", "uid": 2000, "groups": ["adm"], "authorized_keys": [KEY], "sudo": ["ALL=(ALL) ALL"]}],
    "absent_users": ["mallory"],
}


@pytest.mark.hosts
def test_a_host_gets_its_base_and_a_second_run_changes_nothing(debians: Debians) -> None:
    """Everything of the role is there afterwards, and stays as it is."""
    debians.both("userdel mallory 2>/dev/null; useradd mallory")
    debians.bring(role, DATA)
    debians.verify(role, verify, DATA)
    for host, outcome in debians.bring(role, DATA).items():
        assert outcome.is_unchanged, f"{host}: {outcome}"


@pytest.mark.hosts
def test_hand_edits_are_told_and_undone(debians: Debians) -> None:
    """Each managed thing that was changed by hand is in the plan, and is as wanted afterwards."""
    debians.bring(role, DATA)
    swappiness = {host: debians.told(host, "cat /proc/sys/vm/swappiness") for host in HOSTS}
    debians.both(
        """set -e
        echo 7000 > /proc/sys/net/ipv4/tcp_keepalive_time
        echo 'net.ipv4.tcp_keepalive_time = 1' >> /etc/sysctl.d/99-zz-slipway.conf
        grep -v worker1 /etc/hosts > /tmp/hosts; echo '192.0.2.7 worker1' >> /tmp/hosts; cat /tmp/hosts > /etc/hosts
        echo 'SystemMaxUse=9G' >> /etc/systemd/journald.conf.d/50-slipway.conf
        ln -sf /usr/share/zoneinfo/UTC /etc/localtime
        systemctl disable --now logrotate.timer; systemctl mask logrotate.timer
        dpkg --purge tree > /dev/null
        chmod 755 /var/lib/slipway/secrets
        usermod --append --groups sudo alice; usermod --shell /bin/sh alice
        echo 'bob ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/slipway-bob
        echo 'alice ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/slipway-alice
        echo 'ssh-ed25519 AAAA mallory' >> /home/alice/.ssh/authorized_keys
        useradd mallory
        rm /etc/logrotate.d/slipway-app
        echo other > /proc/sys/kernel/hostname
        """
    )
    told = {
        "sysctl net.ipv4.tcp_keepalive_time": "7000 -> 600",
        "/etc/hosts": "fleet names",
        "/etc/systemd/journald.conf.d/50-slipway.conf": "content",
        "/etc/localtime": "link to",
        "logrotate.timer": "unmask, enable, start",
        "package tree": "install",
        "/var/lib/slipway/secrets": "mode",
        "user alice": "shell, -group sudo",
        "/etc/sudoers.d/slipway-bob": "removed",
        "/etc/sudoers.d/slipway-alice": "content",
        "/home/alice/.ssh/authorized_keys": "content",
        "user mallory": "account removed",
        "/etc/logrotate.d/slipway-app": "new file",
        "host name": "other -> ",
    }
    for host, outcome in debians.bring(role, DATA).items():
        planned = dict(line.split(": ", 1) for line in outcome.planned)
        assert {key: planned.get(key, "") for key in told} == {
            key: planned[key] for key, part in told.items() if part in planned.get(key, "")
        }, host
        assert debians.told(host, "cat /proc/sys/net/ipv4/tcp_keepalive_time") == "600"
        assert debians.told(host, "cat /proc/sys/vm/swappiness") == swappiness[host], "the machine's own setting"
        assert "192.0.2.7" in debians.told(host, "cat /etc/hosts"), "somebody else's line is kept"
    debians.verify(role, verify, DATA)
    assert all(outcome.is_unchanged for outcome in debians.bring(role, DATA).values())
    debians.both("grep -v 192.0.2.7 /etc/hosts > /tmp/hosts; cat /tmp/hosts > /etc/hosts")


@pytest.mark.hosts
def test_the_journal_restarts_with_its_limits(debians: Debians) -> None:
    """A changed limit reaches the running journal by an owed restart, which is struck out."""
    debians.bring(role, DATA)
    before = {host: debians.told(host, "systemctl show -P MainPID systemd-journald") for host in HOSTS}
    debians.bring(role, {**DATA, "journald": {"system_max_use": "200M"}})
    for host in HOSTS:
        assert debians.told(host, "systemctl show -P MainPID systemd-journald") != before[host]
        assert debians.told(host, "ls /var/lib/slipway/owed") == ""


@pytest.mark.hosts
def test_chrony_takes_over_and_leaves_a_containers_clock_alone(debians: Debians) -> None:
    """chrony replaces timesyncd; in a container it is enabled, does not run, and no restart of it stays owed."""
    declared = {"ntp_daemon": "chrony", "ntp_servers": ["192.0.2.1"]}
    debians.bring(role, declared)
    debians.verify(role, verify, declared)
    for host, outcome in debians.bring(role, declared).items():
        assert outcome.is_unchanged, f"{host}: {outcome}"
        assert debians.told(host, "systemctl is-active chrony || true") == "inactive"
        assert debians.told(host, "systemctl is-failed chrony || true") != "failed"
    debians.bring(role, {})


@pytest.mark.hosts
def test_a_locale_is_generated(debians: Debians) -> None:
    """Another UTF-8 locale than the built-in one can be used afterwards."""
    declared = {"locale": "de_DE.UTF-8"}
    debians.bring(role, declared, [NEW])
    assert "de_DE.utf8" in debians.told(NEW, "locale -a")
    assert debians.told(NEW, ". /etc/default/locale; echo $LANG") == "de_DE.UTF-8"
    assert debians.bring(role, declared, [NEW])[NEW].is_unchanged
    debians.bring(role, {}, [NEW])


@pytest.mark.hosts
def test_unattended_upgrades_are_configured(debians: Debians) -> None:
    """Where it is wanted, the host takes security updates by itself, and its own program reads our file."""
    declared = {"unattended_upgrades": {"enabled": True, "mail_to": "root"}}
    debians.bring(role, declared, [OLD])
    dump = debians.told(OLD, "apt-config dump Unattended-Upgrade")
    assert "-security,label=Debian-Security" in dump
    assert dump.count("Unattended-Upgrade::Origins-Pattern::") == 1
    assert debians.bring(role, declared, [OLD])[OLD].is_unchanged
    debians.bring(role, {"absent_packages": ["unattended-upgrades"]}, [OLD])


@pytest.mark.hosts
def test_a_setting_that_the_kernel_lacks_or_refuses_is_named(debians: Debians) -> None:
    """The error names the key, and what to do."""

    def applied(values: dict[str, str]) -> str:
        def operation() -> None:
            sysctl.settings(path="/etc/sysctl.d/99-test.conf", values=values, name="Apply")

        return debians.run(operation, [NEW])[NEW].error

    error = applied({"net.ipv4.tcp_keepalive_time": "soon"})
    assert "sysctl net.ipv4.tcp_keepalive_time: the kernel refuses soon" in error
    debians.told(NEW, "rm -f /etc/sysctl.d/99-test.conf")


@pytest.mark.hosts
def test_an_account_with_another_number_is_refused(debians: Debians) -> None:
    """Its files would become nobody's: the run says so and what to do."""
    debians.told(NEW, "userdel -r bob 2>/dev/null; useradd --uid 3001 bob")
    with pytest.raises(Exception, match=r"user bob: has uid 3001 on this host, wanted 3000"):
        debians.bring(role, {"users": [{"name": "bob", "uid": 3000}]}, [NEW])
    debians.told(NEW, "userdel bob")
