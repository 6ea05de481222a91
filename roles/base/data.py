"""Data of the base role: what may differ between fleets."""

from __future__ import annotations

import re
import zoneinfo
from functools import cache
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from roles.base.users import User, UserName
from slipway.facts.packages import PACKAGE_NAME
from slipway.role import RoleData

PackageName = Annotated[str, Field(pattern=PACKAGE_NAME)]
HostName = Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9.:-]*[A-Za-z0-9])?$", max_length=253)]
Size = Annotated[str, Field(pattern=r"^[1-9][0-9]*[KMGT]?$")]
"""As systemd reads it: 500M, 2G; bytes without a letter."""
Span = Annotated[str, Field(pattern=r"^(0|[1-9][0-9]*(s|min|h|day|week|month|year))$")]
"""As systemd reads it: 30s, 2week, 1month; 0 is no limit."""
SysctlKey = Annotated[str, Field(pattern=r"^[a-z0-9_]+([./][A-Za-z0-9_*-]+)+$")]
UnitName = Annotated[str, Field(pattern=r"^[A-Za-z0-9:_.@-]+$", max_length=255)]


def _is_plain(value: str | int) -> str | int:
    if isinstance(value, str) and not re.fullmatch(r"[\w./,:;+=% \t-]+", value, re.ASCII):
        raise ValueError("a kernel setting is one line of letters, digits, blanks and . / , : ; + = % - _")
    return value


SysctlValue = Annotated[str | int, AfterValidator(_is_plain)]


@cache
def _zones() -> frozenset[str]:
    """Every zone that this machine knows: asked once, it reads a thousand files."""
    return frozenset(zoneinfo.available_timezones())


class Journald(RoleData):
    """How much the journal may take."""

    storage: Literal["persistent", "volatile", "auto"] = "persistent"
    """Where it is kept: on disk, so that the log of a crash is there after it, or in memory."""
    system_max_use: Size = "1G"
    """Most that it takes on disk."""
    system_keep_free: Size = "1G"
    """What it leaves free on disk for others."""
    system_max_file_size: Size | None = None
    """Size at which a journal file is closed; systemd's own rule by default."""
    runtime_max_use: Size = "128M"
    """Most that it takes in memory."""
    max_retention: Span = "1month"
    """Age at which entries go."""
    rate_limit_interval: Span = "30s"
    """Time over which a service's messages are counted."""
    rate_limit_burst: Annotated[int, Field(ge=0)] = 10000
    """Messages of one service in that time, beyond which they are dropped; 0 is no limit."""
    forward_to_syslog: bool = False
    """Whether a syslog daemon gets them too."""


class UnattendedUpgrades(RoleData):
    """Security updates by the host itself, at night, outside any rollout."""

    enabled: bool = False
    """Off by default: an upgrade restarts services whenever it likes, on all hosts at once."""
    origins: list[str] = ["origin=Debian,codename=${distro_codename}-security,label=Debian-Security"]
    """Which origins it takes updates from, in its own pattern language."""
    blacklist: list[Annotated[str, Field(pattern=r"^[A-Za-z0-9+.*^$-]+$")]] = [
        "docker",
        "containerd",
        "postgresql",
        "redis",
    ]
    """Packages, as regular expressions, that it leaves alone: those whose restart a rollout has to order."""
    automatic_reboot: bool = False
    """Whether it reboots where an update asks for it."""
    reboot_time: Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")] = "03:00"
    """When it reboots, where it may."""
    mail_to: Annotated[str, Field(pattern=r"^([^\s\";]+@[^\s\";]+|root)?$")] = ""
    """Who is told; nobody by default."""
    mail_only_on_error: bool = True
    """Whether that is for failures only."""

    @field_validator("origins")
    @classmethod
    def _are_one_line(cls, origins: list[str]) -> list[str]:
        if odd := [origin for origin in origins if not re.fullmatch(r"[\w=,.:*${} /-]+", origin, re.ASCII)]:
            raise ValueError(f"{odd[0]!r} is no origin pattern; as: origin=Debian,label=Debian-Security")
        return origins


class LogRotation(RoleData):
    """Files that logrotate closes, renames and at last removes."""

    paths: Annotated[list[Annotated[str, Field(pattern=r"^/[A-Za-z0-9._/*@+-]+$")]], Field(min_length=1)]
    """Absolute paths; `*` stands for any name."""
    frequency: Literal["hourly", "daily", "weekly", "monthly"] = "daily"
    """How often."""
    keep: Annotated[int, Field(ge=0, le=3650)] = 14
    """How many old ones stay."""
    max_size: Size | None = None
    """Size at which a file is rotated ahead of its time."""
    compress: bool = True
    """Whether old ones are compressed, from the second one on."""
    create_mode: Annotated[str, Field(pattern=r"^0?[0-7]{3}$")] = "0640"
    """Mode of the new file; owner and group are the old one's."""
    copy_truncate: bool = False
    """For programs that cannot reopen their log. What they write in that moment is lost."""
    reload_unit: UnitName | None = None
    """Unit that is told to reopen its log by a reload."""


class Base(RoleData):
    """What every host gets."""

    packages: list[PackageName] = ["ca-certificates", "curl"]
    """Installed on every host."""
    extra_packages: list[PackageName] = []
    """Installed besides: for what a group or a host needs more."""
    absent_packages: list[PackageName] = []
    """Removed where they are."""
    apt_lock_seconds: Annotated[int, Field(ge=0, le=3600)] = 300
    """How long apt on the host, whoever calls it, waits for another apt to end."""
    fleet_names: bool = True
    """Whether /etc/hosts says every member's private address."""
    domain: Annotated[str, Field(pattern=r"^([a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*)?$")] = ""
    """Domain of the private names: members then answer to `name.domain` too."""
    manage_hostname: bool = False
    """Whether the host is called what the inventory calls it."""
    timezone: str = "Etc/UTC"
    """Zone of the tz database."""
    locale: Annotated[str, Field(pattern=r"^[A-Za-z_@]+\.UTF-8(@[a-z]+)?$")] = "C.UTF-8"
    """Locale of services and log-ins, a UTF-8 one; others than C.UTF-8 are generated on the host."""
    ntp_daemon: Literal["timesyncd", "chrony", "none"] = "timesyncd"
    """What keeps the clock. `none` where something else does. In a container the clock is left alone."""
    ntp_servers: list[HostName] = []
    """Time servers; the distribution's pool where empty."""
    sysctl: dict[SysctlKey, SysctlValue] = {}
    """Kernel settings that differ from or add to `sysctl_defaults`."""
    sysctl_defaults: dict[SysctlKey, SysctlValue] = {
        "net.core.somaxconn": 4096,
        "net.ipv4.conf.all.accept_redirects": 0,
        "net.ipv4.conf.all.accept_source_route": 0,
        "net.ipv4.conf.default.accept_redirects": 0,
        "net.ipv4.tcp_syncookies": 1,
        "net.ipv6.conf.all.accept_redirects": 0,
        "vm.swappiness": 10,
    }
    """Kernel settings of a server: full accept queues, no redirected routes, memory before swap."""
    journald: Journald = Journald()
    """Limits of the journal."""
    log_rotations: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")], LogRotation] = {}
    """Log files besides the journal, by a name of your own."""
    users: list[User] = []
    """People's accounts."""
    absent_users: list[UserName] = []
    """Accounts that are removed where they are; their files stay."""
    unattended_upgrades: UnattendedUpgrades = UnattendedUpgrades()
    """Security updates by the host itself."""

    @field_validator("timezone")
    @classmethod
    def _is_a_zone(cls, zone: str) -> str:
        # A controller without a tz database cannot know them all; the shape is always known.
        known = _zones()
        if not re.fullmatch(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+){0,2}", zone) or (known and zone not in known):
            raise ValueError(f"{zone!r} is no zone of the tz database; as: Etc/UTC, Europe/Berlin")
        return zone

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        if both := sorted({*self.packages, *self.extra_packages} & {*self.absent_packages}):
            raise ValueError(f"package {both[0]} is both wanted and absent; take it out of one list")
        names = [user.name for user in self.users]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"user {twice[0]} is there twice; merge the two")
        if both := sorted({*names} & {*self.absent_users}):
            raise ValueError(f"user {both[0]} is both wanted and absent; take it out of one list")
        return self

    @property
    def kernel_settings(self) -> dict[str, str]:
        """Every kernel setting that is wanted."""
        return {key: str(value) for key, value in {**self.sysctl_defaults, **self.sysctl}.items()}
