"""What an operator would see on a host that has its base."""

from __future__ import annotations

from typing import Any

from roles.base.clock import UNITS
from roles.base.data import Base
from roles.base.tasks import needed_by
from slipway.context import Context
from slipway.facts.sysctl import NAMESPACED


def check_dpkg_is_in_order(host: Any, data: Base, ctx: Context) -> None:
    """No package is left half way, and nothing keeps services from starting."""
    assert host.check_output("dpkg --audit") == ""
    assert (
        not host.file("/usr/sbin/policy-rc.d").exists
        or "slipway" not in host.file("/usr/sbin/policy-rc.d").content_string
    )


def check_packages(host: Any, data: Base, ctx: Context) -> None:
    """What is wanted is installed, what is not wanted is gone."""
    for name in [*data.packages, *data.extra_packages, *needed_by(data)]:
        assert host.package(name).is_installed, f"{name} is not installed"
    for name in data.absent_packages:
        assert not host.package(name).is_installed, f"{name} is still installed"


def check_fleet_names(host: Any, data: Base, ctx: Context) -> None:
    """Every member's name leads to its private address first."""
    for member in ctx.fleet if data.fleet_names else ():
        found = host.check_output("getent ahostsv4 %s", member.name).split()
        assert found[0] == member.address, f"{member.name} leads to {found[0]}, wanted {member.address}"


def check_clock(host: Any, data: Base, ctx: Context) -> None:
    """The zone is as wanted and the clock is kept: by the host, or for a container by the machine beneath."""
    assert host.file("/etc/localtime").linked_to == host.check_output(
        "readlink -f /usr/share/zoneinfo/%s", data.timezone
    )
    if data.ntp_daemon == "none":
        return
    service = UNITS[data.ntp_daemon]
    is_container = host.run("systemd-detect-virt --quiet --container").succeeded
    assert host.service(service).is_enabled, f"{service} does not start at boot"
    assert host.service(service).is_running != is_container, f"{service} is in the wrong state for this kind of host"


def check_kernel_settings(host: Any, data: Base, ctx: Context) -> None:
    """Each setting is in force. In a container only those are looked at that are its own."""
    is_container = host.run("systemd-detect-virt --quiet --container").succeeded
    for key, wanted in data.kernel_settings.items():
        if is_container and not key.startswith(NAMESPACED):
            continue
        path = f"/proc/sys/{key.translate(str.maketrans('./', '/.'))}"
        assert host.file(path).content_string.split() == wanted.split(), f"sysctl {key} is not {wanted}"


def check_journal_has_an_end(host: Any, data: Base, ctx: Context) -> None:
    """The journal runs with its limits, and old files are rotated."""
    assert host.service("systemd-journald").is_running
    assert f"SystemMaxUse={data.journald.system_max_use}" in host.check_output(
        "systemd-analyze cat-config systemd/journald.conf"
    )
    assert host.service("logrotate.timer").is_running


def check_accounts(host: Any, data: Base, ctx: Context) -> None:
    """Who is named can log in with the named keys only; sudo's rules are in order; who is gone is gone."""
    for user in data.users:
        assert host.user(user.name).exists, f"{user.name} has no account"
        if user.authorized_keys is not None:
            lines = host.file(f"{user.home_directory}/.ssh/authorized_keys").content_string.splitlines()
            assert [line for line in lines if not line.startswith("#")] == user.authorized_keys
    for name in data.absent_users:
        assert not host.user(name).exists, f"{name} still has an account"
    assert host.run("command -v visudo >/dev/null || exit 0; visudo -c").succeeded, "visudo finds fault with the rules"


def check_state_directories(host: Any, data: Base, ctx: Context) -> None:
    """Slipway's own state is there, and only root reads its secrets."""
    assert host.file("/var/lib/slipway/secrets").mode == 0o700
    assert host.file("/var/lib/slipway/releases").is_directory
    owed = host.file("/var/lib/slipway/owed").listdir()
    assert owed == [], f"still owed: {', '.join(owed)}"
