"""What an operator would see on a host with a Docker engine."""

from __future__ import annotations

import json
from typing import Any

from roles.docker.daemon import daemon_options
from roles.docker.data import Docker
from roles.docker.tasks import package_names
from slipway.context import Context
from slipway.facts.docker_engine import STARTED_WITH, Engine


def check_engine_answers(host: Any, data: Docker, ctx: Context) -> None:
    """The engine runs, starts at boot, and answers."""
    assert host.service("docker").is_running
    assert host.service("docker").is_enabled
    version = host.check_output("docker version --format '{{.Server.Version}}'")
    assert version, "the engine does not answer"


def check_configuration_is_in_force(host: Any, data: Docker, ctx: Context) -> None:
    """daemon.json is as wanted, and the running engine was started with what only a start brings."""
    wanted = daemon_options(data)
    assert json.loads(host.file("/etc/docker/daemon.json").content_string) == wanted
    started_with = json.loads(host.file(STARTED_WITH).content_string)
    assert Engine(True, started_with).restart_for(wanted) == []
    info = json.loads(host.check_output("docker info --format '{{json .}}'"))
    assert info["LiveRestoreEnabled"] == data.live_restore
    assert info["LoggingDriver"] == wanted["log-driver"]


def check_no_network_socket(host: Any, data: Docker, ctx: Context) -> None:
    """The engine is reached by its socket only, which is the group docker's."""
    listening = host.check_output("ss -Hltnp")
    allowed = f" {data.metrics_addr} " if data.metrics_addr else "\0"
    lines = [line for line in listening.splitlines() if '"dockerd"' in line and allowed not in line]
    assert lines == [], f"dockerd listens: {lines}"
    socket = host.file("/var/run/docker.sock")
    assert (socket.user, socket.group, socket.mode) == ("root", "docker", 0o660)


def check_members_of_docker(host: Any, data: Docker, ctx: Context) -> None:
    """Who is root by way of Docker is who is named."""
    assert sorted(host.group("docker").members) == sorted(data.users)


def check_version_is_held(host: Any, data: Docker, ctx: Context) -> None:
    """Upgrades leave the engine alone where that is wanted."""
    held = host.check_output("apt-mark showhold").split()
    for name in package_names(data, ctx.machine):
        if name.startswith(("docker", "containerd")):
            assert (name in held) == data.hold, f"{name} is {'not ' if data.hold else ''}held"


def check_prune_timer(host: Any, data: Docker, ctx: Context) -> None:
    """The timer that clears up runs where it is wanted, and its last run did not fail."""
    assert host.service("slipway-prune.timer").is_running == data.prune.enabled
    assert host.run("systemctl is-failed slipway-prune.service").stdout.strip() != "failed"
