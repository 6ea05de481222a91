"""From an image to a host that answers: create, give it its keys, start, wait."""

from __future__ import annotations

import io
import socket
import tarfile
import time
import uuid
from typing import TYPE_CHECKING, Any, NamedTuple

from slipway.lab import apt_cache
from slipway.lab.engine import Abilities, LabFailed, boot_environment, host_config
from slipway.lab.hosts import LabHost
from slipway.lab.images import HOST, Say, tag_of
from slipway.lab.keys import host_key
from slipway.lab.layout import Layout
from slipway.machine import INOTIFY_ENOUGH, has_few_watches

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.types import Mount

_BOOT_SECONDS = 60
"""A host alone boots in one second, seven on two cores in about five; a minute means that it never will."""
_FEW_WATCHES = (
    f"this machine may be out of inotify instances: sudo sysctl fs.inotify.max_user_instances={INOTIFY_ENOUGH}"
)
_OWN_DISKS = ("/var/lib/docker", "/var/lib/containerd")
"""Volumes, because a container engine's overlay cannot lie on this container's overlay."""
_CGROUPS_READ_ONLY = 90
"""Exit code of the image's entry point where it could not make the cgroups writable."""
_APT_CONF = """\
// The lab's environment, not Slipway's work: packages come through a cache on the machine that runs the lab.
Acquire::http::Proxy "{proxy}";
// Nobody reads descriptions of packages here: 6 MB less for each update of each host.
Acquire::Languages "none";
"""
_DPKG_CONF = "# A lab host need not survive a power cut in the middle of an installation.\nforce-unsafe-io\n"


class File(NamedTuple):
    """A file that a host is born with."""

    path: str
    content: str
    mode: int
    owner: int = 0


def boot(client: DockerClient, lab: Layout, host: LabHost, able: Abilities, say: Say) -> None:
    """Creates the host where it is missing, and starts it. Returns when it is up; raises LabFailed where it is not."""
    start(_find(client, lab, host) or _create(client, lab, host, able), lab, host, say)


def start(container: Any, lab: Layout, host: LabHost, say: Say) -> None:
    """Starts or thaws a host that exists. Returns when systemd has finished booting and sshd answers.

    Units that failed are told, and no reason to stop: finding those is what hosts are for.
    """
    if container.status == "paused":
        container.unpause()
    container.start()
    if _booted_state(container, host) != "running":
        listed = container.exec_run(["systemctl", "list-units", "--failed", "--plain", "--no-legend"]).output.decode()
        why = f" ({_FEW_WATCHES})" if has_few_watches() else ""
        say(f"{host.name}: systemd is degraded: {' '.join(line.split()[0] for line in listed.splitlines())}{why}")
    apt_cache.wait_for_port(lab.address(host.name), 22, _BOOT_SECONDS, f"sshd of {host.name}")


def answers(address: str) -> bool:
    """Whether sshd's port is open."""
    try:
        with socket.create_connection((address, 22), timeout=1):
            return True
    except OSError:
        return False


def _booted_state(container: Any, host: LabHost) -> str:
    """What systemd calls the state of the host once booting is over."""
    until = time.monotonic() + _BOOT_SECONDS
    while time.monotonic() < until:
        container.reload()
        if container.status not in ("running", "restarting") or _lacks_cgroups(container):
            raise _did_not_boot(container, host)
        state = _system_state(container)
        if state in ("running", "degraded", "maintenance"):
            return state
        time.sleep(0.1)  # systemd does not listen yet; nothing else tells when it will
    raise LabFailed(host.name, f"systemd is still booting after {_BOOT_SECONDS} s", f"docker logs {container.name}")


def _system_state(container: Any) -> str:
    from docker.errors import APIError

    try:
        return str(container.exec_run(["systemctl", "is-system-running", "--wait"]).output.decode().strip())
    except APIError:
        return "offline"  # it ended at this moment (Docker says 409 or 500): the next look at it tells why


def _lacks_cgroups(container: Any) -> bool:
    return bool(container.attrs["State"]["ExitCode"] == _CGROUPS_READ_ONLY)


def _did_not_boot(container: Any, host: LabHost) -> LabFailed:
    last = " ".join(container.logs(tail=3).decode(errors="replace").split())
    if _lacks_cgroups(container):
        hint = "the engine must allow mounts (SYS_ADMIN) in containers: use a rootful one, on a machine of your own"
        return LabFailed(host.name, f"systemd cannot boot, the cgroup mounts stay read-only ({last})", hint)
    return LabFailed(host.name, f"systemd did not boot: {last or 'no output'}", f"docker logs {container.name}")


def _create(client: DockerClient, lab: Layout, host: LabHost, able: Abilities) -> Any:
    name = lab.container(host.name)
    at = client.api.create_endpoint_config(ipv4_address=lab.address(host.name))
    client.api.create_container(
        tag_of(HOST, host.debian),
        name=name,
        hostname=host.name,
        labels=lab.labels,
        tty=True,  # systemd writes its boot messages to the console: `docker logs` shows them
        environment=boot_environment(able),
        networking_config={"EndpointsConfig": {lab.network: at}},
        host_config=host_config(able) | {"NetworkMode": lab.network, "Mounts": _disks(lab, name)},
    )
    container = client.containers.get(name)
    container.put_archive("/", archive(_files(lab, host)))
    return container


def _disks(lab: Layout, container: str) -> list[Mount]:
    from docker.types import Mount

    return [Mount(path, f"{container}-{path.rpartition('/')[2]}", labels=lab.labels) for path in _OWN_DISKS]


def _files(lab: Layout, host: LabHost) -> list[File]:
    """What makes one host different from the next: its identity, who may log in, where its packages come from."""
    key = host_key(lab, host.name)
    ops = 1000  # the first user of the image
    return [
        File("etc/machine-id", f"{uuid.uuid4().hex}\n", 0o444),
        File("etc/ssh/ssh_host_ed25519_key", key.read_text(), 0o600),
        File("etc/ssh/ssh_host_ed25519_key.pub", key.with_name(f"{key.name}.pub").read_text(), 0o644),
        File("home/ops/.ssh/authorized_keys", lab.ssh_key.with_name(f"{lab.ssh_key.name}.pub").read_text(), 0o600, ops),
        File("etc/apt/apt.conf.d/00lab", _APT_CONF.format(proxy=apt_cache.host_proxy(lab)), 0o644),
        File("etc/dpkg/dpkg.cfg.d/lab", _DPKG_CONF, 0o644),
    ]


def archive(files: list[File]) -> bytes:
    """The files as Docker takes them."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for file in files:
            content = file.content.encode()
            entry = tarfile.TarInfo(file.path)
            entry.size, entry.mode = len(content), file.mode
            entry.uid = entry.gid = file.owner
            entry.mtime = int(time.time())
            tar.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def _find(client: DockerClient, lab: Layout, host: LabHost) -> Any:
    from docker.errors import NotFound

    try:
        return client.containers.get(lab.container(host.name))
    except NotFound:
        return None
