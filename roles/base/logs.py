"""Logs: the journal and other files, each with an end."""

from __future__ import annotations

from roles.base.data import Base, Journald, LogRotation
from slipway.ops import dropins, files, units
from slipway.render import render

JOURNALD = "systemd-journald.service"


def logs(data: Base) -> None:
    """No log fills a disk."""
    content = render("base/journald.conf.d/50-slipway.conf.j2", settings=journald_settings(data.journald))
    files.directory(path="/etc/systemd/journald.conf.d", name="Make the drop-in directory of journald")
    files.put(path="/etc/systemd/journald.conf.d/50-slipway.conf", content=content, owes=[f"restart:{JOURNALD}"],
              name="Write journald.conf")  # fmt: skip
    units.settle(unit=JOURNALD, action="restart", name="Restart journald")
    units.unit(unit="logrotate.timer", name="Start the timer of logrotate")
    for name, rotation in data.log_rotations.items():
        write_rotation(name, rotation)
    keep = [f"slipway-{name}" for name in data.log_rotations]
    dropins.only(directory="/etc/logrotate.d", pattern="slipway-*", keep=keep, name="Remove rotations no longer wanted")


def write_rotation(name: str, rotation: LogRotation) -> None:
    """One file of logrotate, tried by it first."""
    files.put(path=f"/etc/logrotate.d/slipway-{name}", content=render("base/logrotate.j2", rotation=rotation),
              check=["logrotate", "--debug", files.CANDIDATE], name="Write a rotation")  # fmt: skip


def journald_settings(journald: Journald) -> dict[str, str]:
    """Its settings under the names that systemd has for them."""
    wanted = {
        "Storage": journald.storage,
        "SystemMaxUse": journald.system_max_use,
        "SystemKeepFree": journald.system_keep_free,
        "SystemMaxFileSize": journald.system_max_file_size,
        "RuntimeMaxUse": journald.runtime_max_use,
        "MaxRetentionSec": journald.max_retention,
        "RateLimitIntervalSec": journald.rate_limit_interval,
        "RateLimitBurst": str(journald.rate_limit_burst),
        "ForwardToSyslog": "yes" if journald.forward_to_syslog else "no",
    }
    return {key: value for key, value in wanted.items() if value is not None}
