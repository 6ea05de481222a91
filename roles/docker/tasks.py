"""Brings a host its Docker engine."""

from __future__ import annotations

from roles.docker.daemon import daemon_options
from roles.docker.data import Docker
from slipway.context import Context
from slipway.facts.docker_engine import STARTED_WITH
from slipway.fleet import Machine
from slipway.ops import docker_engine, dropins, files, packages, units, users
from slipway.render import render

KEY_FILE = "/etc/apt/keyrings/docker.asc"


def tasks(data: Docker, ctx: Context) -> None:
    """Packages, configuration, the running engine, and what clears up after it."""
    if data.repository == "docker":
        repository(data, ctx)
    engine_packages(data, ctx)
    options = daemon_options(data)
    docker_engine.configured(options=options, name="Write daemon.json")
    content = render(
        "docker/docker.service.d/50-slipway.conf.j2", configured=docker_engine.PATH, started_with=STARTED_WITH
    )
    dropins.drop_in(unit=docker_engine.UNIT, content=content, name="Have the engine note what it is started with")
    units.unit(unit=docker_engine.UNIT, name="Start the engine")
    docker_engine.settled(options=options, targets=[ctx.host.address], name="Let the engine work by its configuration")
    users.members(group="docker", users=data.users, name="Say who may use the engine")
    prune(data)


def repository(data: Docker, ctx: Context) -> None:
    """Docker's own repository; packages signed by another key than the one given are refused."""
    content = render("docker/docker.sources.j2", url=data.repository_url, channel=data.repository_channel,
                     machine=ctx.machine, key_file=KEY_FILE)  # fmt: skip
    files.directory(path="/etc/apt/keyrings", name="Make the directory of keys")
    key = f"{(data.repository_key or '').strip()}\n"
    files.put(path=KEY_FILE, content=key, name="Write the key of Docker's repository")
    files.put(path="/etc/apt/sources.list.d/docker.sources", content=content, name="Write the source of its packages")


def engine_packages(data: Docker, ctx: Context) -> None:
    """The engine, not started before it is configured, and held."""
    names = package_names(data, ctx.machine)
    engine = [name for name in names if name.startswith(("docker", "containerd"))]
    versioned = [name for name in engine if name.startswith("docker")] if data.version else []
    versions = dict.fromkeys(versioned, data.version or "*")
    packages.installed(names=[*names, *data.extra_packages], versions=versions, start=False,
                       targets=[ctx.host.address], name="Install the engine")  # fmt: skip
    packages.held(names=engine, hold=data.hold, name="Hold the engine's version")


def package_names(data: Docker, machine: Machine) -> list[str]:
    """What a working engine consists of there."""
    if data.repository == "docker":
        # Recommended packages are not taken: without AppArmor's loader an engine on an AppArmor kernel starts nothing.
        return ["docker-ce", "docker-ce-cli", "containerd.io", "apparmor", "iptables"]
    # Debian 13 split the client off and only recommends it.
    has_client = machine.distribution == "ubuntu" or machine.codename in ("bullseye", "bookworm")
    return ["docker.io", *([] if has_client else ["docker-cli"]), "containerd", "apparmor", "iptables"]


def prune(data: Docker) -> None:
    """Old releases' images do not fill the disk."""
    wanted = data.prune
    files.put(path="/usr/local/sbin/slipway-prune", content=render("docker/slipway-prune.j2"), mode="755",
              check=["sh", "-n", files.CANDIDATE], name="Write the script that prunes")  # fmt: skip
    service = render("docker/slipway-prune.service.j2", unneeded_hours=wanted.unneeded_hours)
    units.unit_file(filename="slipway-prune.service", content=service, name="Write the unit that prunes")
    timer = render("docker/slipway-prune.timer.j2", schedule=wanted.schedule, random_delay=wanted.random_delay)
    units.unit_file(filename="slipway-prune.timer", content=timer, name="Write the timer that prunes")
    units.unit(unit="slipway-prune.timer", running=wanted.enabled, enabled=wanted.enabled,
               name="Start the timer that prunes")  # fmt: skip
