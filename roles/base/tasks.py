"""Brings a host to where every other role can stand on it."""

from __future__ import annotations

from roles.base.accounts import accounts
from roles.base.clock import clock
from roles.base.data import Base
from roles.base.logs import logs
from slipway.context import Context
from slipway.ops import files, locale, names, packages, sysctl, units
from slipway.render import render

GENERATED_ELSEWHERE = "C.UTF-8"
"""The locale that glibc brings along."""


def tasks(data: Base, ctx: Context) -> None:
    """Everything of the base role, in an order in which each part finds what it needs."""
    state_directories()
    package_manager(data)
    fleet_names(data, ctx)
    clock(data, ctx)
    locale_of_services(data, ctx)
    sysctl.settings(path="/etc/sysctl.d/99-zz-slipway.conf", values=data.kernel_settings, name="Apply kernel settings")
    logs(data)
    accounts(data, ctx)
    upgrades(data)


def state_directories() -> None:
    """Where Slipway keeps what belongs to this host; only root reads the secrets."""
    for path, mode in (("", "755"), ("/owed", "755"), ("/releases", "755"), ("/journal", "750"), ("/secrets", "700")):
        files.directory(path=f"/var/lib/slipway{path}", mode=mode, name="Make the state directory")


def package_manager(data: Base) -> None:
    """dpkg is in order, waits for others, and what every host needs is installed."""
    content = render("base/50slipway.j2", lock_seconds=data.apt_lock_seconds)
    files.put(path="/etc/apt/apt.conf.d/50slipway", content=content, name="Let apt wait for its lock")
    packages.repaired(name="Finish an interrupted dpkg")
    wanted = [*data.packages, *data.extra_packages, *needed_by(data)]
    packages.installed(names=wanted, start=False, name="Install packages")
    packages.absent(names=data.absent_packages, name="Remove unwanted packages")


def needed_by(data: Base) -> list[str]:
    """Packages that this role's own parts need."""
    daemon = {"timesyncd": ["systemd-timesyncd"], "chrony": ["chrony"], "none": []}[data.ntp_daemon]
    wanted = {
        "locales": data.locale != GENERATED_ELSEWHERE,
        "logrotate": True,
        "sudo": any(user.sudo for user in data.users),
        "tzdata": True,
        "unattended-upgrades": data.unattended_upgrades.enabled,
    }
    return daemon + [name for name, needed in wanted.items() if needed]


def fleet_names(data: Base, ctx: Context) -> None:
    """Members find each other by name, without asking a name server."""
    members = list(ctx.fleet) if data.fleet_names else []
    suffix = f".{data.domain}" if data.domain else ""
    addresses: dict[str, list[str]] = {}
    for member in members:
        aliases = [f"{member.name}{suffix}", member.name] if suffix else [member.name]
        addresses.setdefault(member.address, []).extend(aliases)
    names.fleet(addresses=addresses, name="Write fleet names")
    if data.manage_hostname:
        names.hostname(wanted=ctx.host.name, name="Set the host name")


def locale_of_services(data: Base, ctx: Context) -> None:
    """Programs write UTF-8. Debian 13 moved the file; the old name stays as a link, as its own packages make it."""
    content = render("base/locale.conf.j2", locale=data.locale)
    if data.locale != GENERATED_ELSEWHERE:
        gen = render("base/locale.gen.j2", locale=data.locale)
        files.put(path="/etc/locale.gen", content=gen, name="Write locale.gen")
        locale.generated(locale=data.locale, name="Generate the locale")
    if ctx.machine.distribution == "debian" and int(ctx.machine.version.split(".")[0] or 0) >= 13:
        files.put(path="/etc/locale.conf", content=content, name="Write locale.conf")
        files.link(path="/etc/default/locale", target="../locale.conf", name="Link the old name of locale.conf")
    else:
        files.put(path="/etc/default/locale", content=content, name="Write the default locale")


def upgrades(data: Base) -> None:
    """Security updates by the host itself, or not. The files are ours only where the package is."""
    wanted = data.unattended_upgrades
    if wanted.enabled:
        content = render("base/50unattended-upgrades.j2", upgrades=wanted)
        # Its own file, not a drop-in: lists of apt's configuration add up, and an origin that was dropped would stay.
        files.put(path="/etc/apt/apt.conf.d/50unattended-upgrades", content=content, name="Write 50unattended-upgrades",
                  check=["apt-config", "-c", files.CANDIDATE, "dump"])  # fmt: skip
        units.unit(unit="apt-daily-upgrade.timer", name="Start the timer of upgrades")
    periodic = render("base/20auto-upgrades.j2", enabled=wanted.enabled)
    files.put(path="/etc/apt/apt.conf.d/20auto-upgrades", content=periodic, name="Write 20auto-upgrades")
