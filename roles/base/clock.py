"""Time: the zone, and who keeps the clock."""

from __future__ import annotations

from roles.base.data import Base
from slipway.context import Context
from slipway.ops import clock as clock_ops
from slipway.ops import dropins, files
from slipway.render import render

UNITS = {"timesyncd": "systemd-timesyncd.service", "chrony": "chrony.service"}


def clock(data: Base, ctx: Context) -> None:
    """The zone is set and one daemon keeps the clock; in a container the machine beneath does."""
    files.link(path="/etc/localtime", target=f"/usr/share/zoneinfo/{data.timezone}", name="Set the time zone")
    if data.ntp_daemon == "timesyncd":
        timesyncd(data)
    elif data.ntp_daemon == "chrony":
        chrony(data, ctx)


def timesyncd(data: Base) -> None:
    """systemd's own, small and enough for a server."""
    unit = UNITS["timesyncd"]
    content = render("base/timesyncd.conf.d/50-slipway.conf.j2", servers=data.ntp_servers)
    files.directory(path="/etc/systemd/timesyncd.conf.d", name="Make the drop-in directory of timesyncd")
    files.put(path="/etc/systemd/timesyncd.conf.d/50-slipway.conf", content=content, owes=[f"restart:{unit}"],
              name="Write timesyncd.conf")  # fmt: skip
    clock_ops.kept(service=unit, name="Keep the clock")
    clock_ops.settle(service=unit, name="Restart timesyncd")


def chrony(data: Base, ctx: Context) -> None:
    """chrony, for those who want its statistics or have servers of their own that only it can follow."""
    unit = UNITS["chrony"]
    content = render("base/chrony.conf.j2", servers=data.ntp_servers, distribution=ctx.machine.distribution)
    condition = render("base/chrony.service.d/50-slipway.conf.j2")
    dropins.drop_in(unit=unit, content=condition, name="Leave a container's clock alone")
    files.put(path="/etc/chrony/chrony.conf", content=content, check=["chronyd", "-p", "-f", files.CANDIDATE],
              owes=[f"restart:{unit}"], name="Write chrony.conf")  # fmt: skip
    clock_ops.kept(service=unit, name="Keep the clock")
    clock_ops.settle(service=unit, name="Restart chrony")
