"""The lab: container hosts that stand for bare ones. Up, down, and the accidents that tests need."""

from __future__ import annotations

import fcntl
import subprocess
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from slipway.lab import apt_cache, boot, images, networks
from slipway.lab.engine import abilities, connect, told
from slipway.lab.hosts import EVERY, HOSTS, LabHost, hosts_named
from slipway.lab.keys import ensure_keys
from slipway.lab.layout import LABEL, LABEL_STATE, NAME_VARIABLE, Layout, layout
from slipway.lab.state import ensure_secrets, ensure_state, remove_state, settle_octet
from slipway.lab.tls import ensure_certificates
from slipway.paths import state_dir
from slipway.problems import BadInput, Problem

if TYPE_CHECKING:
    from pathlib import Path

    from docker import DockerClient

T = TypeVar("T")
_SHUTDOWN_SECONDS = 20
"""What a host may take to shut down in order before its power is cut."""


class Result(NamedTuple):
    """What a command on a host came to."""

    code: int
    stdout: str
    stderr: str


class HostStatus(NamedTuple):
    """One line of `slipway lab status`."""

    host: LabHost
    address: str
    state: str
    """Docker's word: running, paused, exited; or absent."""
    answers: bool
    """Whether sshd's port is open."""


class Lab:
    """One lab by its name; nothing is asked of Docker before a method needs it."""

    def __init__(self, name: str | None = None, say: Callable[[str], None] = lambda line: None) -> None:
        self._layout = layout(name)
        self._say = say

    @property
    def name(self) -> str:
        return self._layout.name

    @property
    def layout(self) -> Layout:
        """Names, addresses and paths."""
        return self._layout

    @property
    def ssh_config(self) -> Path:
        """For `ssh -F` and testinfra."""
        return self._layout.ssh_config

    def address(self, host: str) -> str:
        """A host's fixed address."""
        return self._layout.address(host)

    # --- the whole lab

    def up(self, hosts: Sequence[str] | None = None) -> list[str]:
        """Brings up the hosts named (all, for None) and returns those that were not running before.

        Done means: systemd has finished booting and sshd answers; units that failed are told. Raises BadInput where the
        engine cannot carry a lab, LabFailed where a host does not come up.
        """
        wanted = hosts_named(tuple(hosts or ()))
        with _alone():
            self._refuse_a_strangers_lab()
            self._prepare_state()
            self._prepare_engine()
            states = self._states()
            new = [host for host in wanted if states.get(host.name) != "running"]
            self._tell_outdated(wanted)
            if new:
                self._boot_all(new)
        return [host.name for host in new]

    def down(self) -> None:
        """Removes containers, network, volumes and state of this lab. Images and downloaded packages stay."""
        with _alone(), told("docker", "see what is left: docker ps -a, docker network ls"):
            self._refuse_a_strangers_lab()
            self._close_ssh("*")
            _each(lambda container: container.remove(force=True, v=True), self._containers())
            networks.remove(self._docker, self._layout)
            for volume in self._docker.volumes.list(filters=self._mine):
                volume.remove(force=True)
            remove_state(self._layout)
            if not networks.of_labs(self._docker):
                apt_cache.remove(self._docker)

    def purge(self) -> None:
        """Removes what `down` keeps: images and downloaded packages of all labs. Raises BadInput while one is up."""
        with _alone(), told("docker", "see what uses it: docker ps -a"):
            if others := networks.of_labs(self._docker):
                names = ", ".join(sorted(others))
                raise BadInput([Problem("lab", f"still up: {names}", f"slipway lab down --name {sorted(others)[0]}")])
            apt_cache.remove(self._docker, with_packages=True)
            images.remove_all(self._docker)

    def status(self) -> list[HostStatus]:
        """Every host the lab could have, as it is now; those on demand only where they are there."""
        states = self._states()
        shown = [host for host in EVERY if host in HOSTS or host.name in states]
        return _each(lambda host: self._status_of(host, states.get(host.name, "absent")), shown)

    def hosts(self) -> list[LabHost]:
        """The hosts that exist, running or not, in the order of the inventory."""
        states = self._states()
        return [host for host in EVERY if host.name in states]

    # --- one host

    def ssh_command(self, host: str, *arguments: str) -> list[str]:
        """The command that reaches a host as `ops`, its key checked strictly. Arguments are ssh's own."""
        return ["ssh", "-F", str(self.ssh_config), hosts_named([host])[0].name, *arguments]

    def exec(self, host: str, argv: Sequence[str]) -> Result:
        """Runs a command as root without SSH. For tests: Slipway itself never comes in this way."""
        # Not the SDK's exec_run: on a busy machine it loses output that comes together with the engine's first answer.
        words = ["docker", "exec", str(self._container(host).name), *argv]
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        return Result(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))

    def stop(self, host: str) -> None:
        """Shuts a host down in order."""
        self._close_ssh(self.address(host))
        self._container(host).stop(timeout=_SHUTDOWN_SECONDS)

    def cut_power(self, host: str) -> None:
        """Stops a host at once: no process gets to say goodbye."""
        self._close_ssh(self.address(host))
        self._container(host).kill()

    def start(self, host: str) -> None:
        """Starts a stopped host, with everything that was on its disks; returns when sshd answers."""
        boot.start(self._container(host), self._layout, hosts_named([host])[0], self._say)

    def freeze(self, host: str) -> None:
        """Suspends every process of a host: connections stay open and nothing answers."""
        self._container(host).pause()

    def thaw(self, host: str) -> None:
        """Lets a frozen host go on."""
        self._container(host).unpause()

    # --- how

    @cached_property
    def _docker(self) -> DockerClient:
        return connect()

    @property
    def _mine(self) -> dict[str, str | list[str] | bool]:
        return {"label": f"{LABEL}={self.name}"}

    def _prepare_state(self) -> None:
        octet = networks.octet_for(self._docker, self._layout)
        ensure_state(self._layout)
        settle_octet(self._layout, octet)
        ensure_keys(self._layout)
        ensure_secrets(self._layout)
        ensure_certificates(self._layout)

    def _prepare_engine(self) -> None:
        with told("docker", "see what it says: docker info"):
            networks.ensure(self._docker, self._layout)
            self._proxy = apt_cache.ensure_cache(self._docker, self._say)
            apt_cache.attach(self._docker)

    def _boot_all(self, hosts: Sequence[LabHost]) -> None:
        with told("docker", "see what it says: docker info"):
            releases = sorted({host.debian for host in hosts})
            _each(
                lambda debian: images.ensure_built(self._docker, images.HOST, debian, self._say, self._proxy), releases
            )
            able = abilities(self._docker, images.tag_of(images.HOST, releases[0]))
            self._say(f"booting {', '.join(host.name for host in hosts)}")
            _each(lambda host: boot.boot(self._docker, self._layout, host, able, self._say), hosts)

    def _tell_outdated(self, hosts: Sequence[LabHost]) -> None:
        current = {self._layout.container(host.name): images.tag_of(images.HOST, host.debian) for host in hosts}
        made_from = {
            container.attrs["Names"][0].lstrip("/"): container.attrs["Image"] for container in self._containers()
        }
        if old := [name for name, tag in current.items() if made_from.get(name, tag) != tag]:
            self._say(f"made from an older image: {', '.join(old)}; to renew: slipway lab down --name {self.name}")

    def _refuse_a_strangers_lab(self) -> None:
        """Two checkouts may both have a lab called "lab"; on one engine it can only be the first one's."""
        owners = {container.attrs["Labels"].get(LABEL_STATE, "") for container in self._containers()}
        if strangers := owners - {str(self._layout.state)}:
            hint = f"bring it down there, or call this one something else: --name or {NAME_VARIABLE}"
            raise BadInput([Problem("lab", f"a lab {self.name!r} of {strangers.pop()} is up on this machine", hint)])

    def _containers(self) -> list[Any]:
        return self._docker.containers.list(all=True, filters=self._mine, sparse=True)  # one question, not one for each

    def _container(self, host: str) -> Any:
        from docker.errors import NotFound

        name = hosts_named([host])[0].name
        try:
            return self._docker.containers.get(self._layout.container(name))
        except NotFound:
            hint = f"slipway lab up --name {self.name} --hosts {name}"
            raise BadInput([Problem("lab", f"{name} of lab {self.name!r} is not up", hint)]) from None

    def _states(self) -> dict[str, str]:
        """Docker's word for the state of every host that exists."""
        names = {self._layout.container(host.name): host.name for host in EVERY}
        found = ((container.attrs["Names"][0].lstrip("/"), container.status) for container in self._containers())
        return {names[name]: state for name, state in found if name in names}

    def _status_of(self, host: LabHost, state: str) -> HostStatus:
        address = self.address(host.name)
        return HostStatus(host, address, state, state == "running" and boot.answers(address))

    def _close_ssh(self, addresses: str) -> None:
        # A shared connection outlives its host, and would swallow the first commands to the next host of that address.
        for socket in self._layout.state.glob(f"ssh-{addresses}"):
            address = socket.name.removeprefix("ssh-")
            subprocess.run(["ssh", "-F", str(self.ssh_config), "-O", "exit", address], capture_output=True, check=False)


def _each(action: Callable[[Any], T], items: Any) -> list[T]:
    """Does it to all at the same time; waits for all, then raises the first failure."""
    with ThreadPoolExecutor(max_workers=8) as pool:
        running = [pool.submit(action, item) for item in items]
    return [done.result() for done in running]


@contextmanager
def _alone() -> Iterator[None]:
    """One `up` or `down` at a time in a checkout: the cache and the images belong to all its labs."""
    place = state_dir() / "lab"
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (place / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
