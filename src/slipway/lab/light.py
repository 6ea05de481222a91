"""Light hosts: sshd and a sudo user in a container, no systemd. For scale: fifty of them start in seconds."""

from __future__ import annotations

import shutil
import subprocess
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from slipway.lab import apt_cache
from slipway.lab.boot import File, archive
from slipway.lab.engine import LabFailed, connect, told
from slipway.lab.images import LIGHT, ensure_built
from slipway.lab.keys import make_pair, public_key
from slipway.paths import SOURCE_ROOT, state_dir

if TYPE_CHECKING:
    from docker import DockerClient

_LABEL = "slipway.light"
_DEBIAN = 12
_START_SECONDS = 30
"""sshd alone listens at once; thirty seconds are for a machine that starts fifty of them."""
_AT_ONCE = 8
"""Hosts that are started or looked at side by side: more only queue in the engine."""


class LightHost(NamedTuple):
    """One of them."""

    name: str
    address: str


class LightHosts:
    """A set of light hosts under a name; of the same name in another checkout they are others."""

    def __init__(self, name: str = "bench", say: Callable[[str], None] = lambda line: None, shared: str = "") -> None:
        """+ shared: a directory that all of them have, as one; empty before somebody puts something there"""
        self._say, self._shared = say, shared
        self._group = f"slipway-light-{name}-{zlib.crc32(str(SOURCE_ROOT).encode()) & 0xFFFF:04x}"
        self.state = state_dir() / "light" / name

    @property
    def private_key(self) -> Path:
        """What `ops` logs in with."""
        return self.state / "id_ed25519"

    @property
    def host_key(self) -> str:
        """The public key that all of them have: kind and key."""
        return public_key(self.state / "host_key")

    def up(self, count: int) -> list[LightHost]:
        """That many of them run, each with an address of its own and its sshd listening. Raises LabFailed, BadInput."""
        for name in ("id_ed25519", "host_key"):
            if not (self.state / name).is_file():
                make_pair(self.state / name, f"ops@{self._group}")
        with told("docker", "see what it says: docker info"):
            image = ensure_built(self._docker, LIGHT, _DEBIAN, self._say, apt_cache.bridge_proxy(self._docker))
            self._ensure_network()
            there = {container.name for container in self._containers()}
            names = [f"light{number}" for number in range(1, count + 1)]
            self._on_each(lambda name: self._start(name, image), [n for n in names if self.container(n) not in there])
            addresses = self._addresses()
        hosts = [LightHost(name, addresses[self.container(name)]) for name in names]
        for host in hosts:
            apt_cache.wait_for_port(host.address, 22, _START_SECONDS, f"sshd of {host.name}")
        return hosts

    def down(self) -> None:
        """Removes the hosts, their network and their keys."""
        with told("docker", "see what is left: docker ps -a, docker network ls"):
            self._on_each(lambda container: container.remove(force=True, v=True), self._containers())
            for volume in self._docker.volumes.list(filters={"name": f"^{self._group}$"}) if self._shared else ():
                volume.remove()
            for network in self._docker.networks.list(filters={"label": f"{_LABEL}={self._group}"}):
                network.remove()
        shutil.rmtree(self.state, ignore_errors=True)

    def exec(self, host: str, words: Sequence[str]) -> str:
        """Runs a command as root on a host, without SSH. Its output; raises LabFailed where it fails."""
        command = ["docker", "exec", self.container(host), *words]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise LabFailed(host, f"{words[0]} failed: {done.stderr.strip() or done.returncode}", "docker ps -a")
        return done.stdout

    def exec_on(self, hosts: Sequence[str], words: Sequence[str]) -> list[str]:
        """The same on each of these, side by side; outputs in their order."""
        return self._on_each(lambda host: self.exec(host, words), hosts)

    @cached_property
    def _docker(self) -> DockerClient:
        return connect()

    @property
    def network(self) -> str:
        """The engine's name of the network that they are in, and of what they share."""
        return self._group

    @property
    def labels(self) -> dict[str, str]:
        """What goes with `down` has these."""
        return {_LABEL: self._group}

    def container(self, name: str) -> str:
        """The engine's name of a host."""
        return f"{self._group}-{name}"

    def _containers(self) -> list[Any]:
        return self._docker.containers.list(all=True, filters={"label": f"{_LABEL}={self._group}"})

    def _ensure_network(self) -> None:
        if not self._docker.networks.list(names=[f"^{self._group}$"]):
            self._docker.networks.create(self._group, driver="bridge", labels={_LABEL: self._group})

    def _start(self, name: str, image: str) -> None:
        container = self._docker.containers.create(
            image, name=self.container(name), hostname=name, network=self.network, labels=self.labels,
            volumes={self.network: {"bind": self._shared, "mode": "rw"}} if self._shared else {},
        )  # fmt: skip
        container.put_archive("/", archive(self._files()))
        container.start()

    def _files(self) -> list[File]:
        ops = 1000  # the first user of the image
        return [
            File("etc/ssh/ssh_host_ed25519_key", (self.state / "host_key").read_text(), 0o600),
            File("home/ops/.ssh/authorized_keys", f"{public_key(self.private_key)}\n", 0o600, ops),
        ]

    def _addresses(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for container in self._containers():
            networks = container.attrs["NetworkSettings"]["Networks"]
            found[container.name] = networks[self._group]["IPAddress"]
        return found

    def _on_each(self, action: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
        with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
            return list(pool.map(action, items))
