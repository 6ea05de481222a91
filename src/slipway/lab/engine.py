"""The Docker engine of this machine: reaching it, and what it lets a container do."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from slipway.problems import BadInput, Problem

if TYPE_CHECKING:
    from docker import DockerClient

_NOBODY_THERE = ("No such file", "refused", "Max retries", "timed out", "Unable to connect")
DEFAULT_SOCKET = "unix:///var/run/docker.sock"
_ANSWER_SECONDS = 120
"""The longest wait for one answer of the engine: creating a volume or an image takes seconds on a loaded machine."""
_CONNECTIONS = 32
"""Enough for every host of a lab at the same time; the SDK keeps ten and drops the rest with a warning."""


class LabFailed(Exception):
    """Something of the lab did not come up though the input was right: where, what, and what to do next."""

    def __init__(self, where: str, what: str, hint: str = "") -> None:
        super().__init__(str(Problem(where, what, hint)))


class Abilities(NamedTuple):
    """What decides how a host is booted."""

    cgroup_version: int
    privileged: bool
    """Whether `--privileged` works: it does not where the machine itself lacks capabilities."""
    can_drop: bool = True
    """Whether the engine takes "without SYS_RESOURCE": a newer one refuses to drop what the machine has not got."""


def connect() -> DockerClient:
    """A client of the engine that DOCKER_HOST names, or of the local one. Raises BadInput where none can be used."""
    import docker  # here, so that `--help` and inventories do without the SDK's 150 ms
    from docker.errors import DockerException

    try:
        client = docker.from_env(timeout=_ANSWER_SECONDS, max_pool_size=_CONNECTIONS)
        client.ping()
    except (DockerException, OSError) as error:  # OSError: what paramiko says of an ssh:// engine
        raise BadInput([unusable_engine(str(error))]) from None
    return client


def unusable_engine(answer: str) -> Problem:
    """The problem that a failed connection comes down to."""
    endpoint = os.environ.get("DOCKER_HOST") or DEFAULT_SOCKET
    if "Permission denied" in answer:
        hint = (
            "run it with sudo, or join the group that owns the socket: sudo usermod -aG docker $USER, then log in anew"
        )
        return Problem("docker", f"permission denied at {endpoint}", hint)
    if any(sign in answer for sign in _NOBODY_THERE):
        hint = "install and start one (Debian: apt-get install docker.io), or point DOCKER_HOST at a running one"
        return Problem("docker", f"no engine answers at {endpoint}", hint)
    return Problem("docker", f"the engine at {endpoint} is unusable: {answer}", "check it with: docker version")


def abilities(client: DockerClient, image: str) -> Abilities:
    """What the engine can do; `image` is any image with /bin/true, to try `--privileged` with."""
    version = int(client.info().get("CgroupVersion", 1))
    return Abilities(version, _runs_privileged(client, image), _takes_drop(client, image))


def _runs_privileged(client: DockerClient, image: str) -> bool:
    from docker.errors import APIError

    probe = client.containers.create(image, entrypoint="/bin/true", privileged=True, network_mode="none")
    try:
        probe.start()
        return bool(probe.wait()["StatusCode"] == 0)
    except APIError:
        return False  # "unable to apply caps": hosts are then given the capabilities one by one
    finally:
        probe.remove(force=True, v=True)


def _takes_drop(client: DockerClient, image: str) -> bool:
    from docker.errors import APIError

    try:
        probe = client.containers.create(image, entrypoint="/bin/true", cap_add=["ALL"], cap_drop=["SYS_RESOURCE"])
    except APIError:
        return False  # "invalid CapDrop": then "ALL" is what the machine has, without it
    probe.remove(force=True, v=True)
    return True


def host_config(able: Abilities) -> dict[str, Any]:
    """The engine API's HostConfig that lets systemd be PID 1 and Docker run inside."""
    one_by_one = _RIGHTS_ONE_BY_ONE if able.can_drop else {**_RIGHTS_ONE_BY_ONE, "CapDrop": []}
    rights = {"Privileged": True} if able.privileged else one_by_one
    # A host that reboots comes back: systemd then ends with a code other than 0. One that was stopped stays down.
    comes_back = {"RestartPolicy": {"Name": "on-failure"}}
    return {**rights, **comes_back, "CgroupnsMode": "private", "Tmpfs": {"/run": "", "/run/lock": ""}}


def boot_environment(able: Abilities) -> dict[str, str]:
    """The environment of PID 1."""
    return {"container": "docker"} | (_FORCE_CGROUP_V1 if able.cgroup_version == 1 else {})


_RIGHTS_ONE_BY_ONE = {
    "CapAdd": ["ALL"],
    # The one capability that a confined machine is known to lack: asking for it fails the start.
    "CapDrop": ["SYS_RESOURCE"],
    "SecurityOpt": ["seccomp=unconfined", "apparmor=unconfined"],
    # What the command line calls systempaths=unconfined: /proc/sys is writable, Docker inside can mount its own /proc.
    "MaskedPaths": [],
    "ReadonlyPaths": [],
}
_FORCE_CGROUP_V1 = {
    # systemd 256 and later take cgroup v1 only when told twice. One variable: its value holds two settings.
    "SYSTEMD_PROC_CMDLINE": "systemd.unified_cgroup_hierarchy=0 SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1",
}


@contextmanager
def told(where: str, hint: str) -> Iterator[None]:
    """Turns an error of the engine into LabFailed: what it said, and this hint."""
    from docker.errors import DockerException

    try:
        yield
    except DockerException as error:
        raise LabFailed(where, str(getattr(error, "explanation", None) or error), hint) from error
