"""One package cache for all labs of this machine, so that a package is downloaded once."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING, Any

from slipway.lab.engine import LabFailed
from slipway.lab.images import APT, Say, ensure_built
from slipway.lab.layout import APT_CACHE_OCTET, LABEL, Layout
from slipway.lab.networks import subnets

if TYPE_CHECKING:
    from docker import DockerClient

CONTAINER = "slipway-lab-apt"
VOLUME = "slipway-lab-apt"
PORT = 3142
_RELEASE = 13
_START_SECONDS = 20
"""It listens within a second; twenty is for a machine that is busy booting hosts."""


def host_proxy(lab: Layout) -> str:
    """The cache as the lab's hosts reach it: at a fixed address of their own network."""
    return f"http://{lab.at(APT_CACHE_OCTET)}:{PORT}"


def bridge_proxy(client: DockerClient) -> str | None:
    """The cache as this machine and `docker build` reach it, on the default bridge; None where it is not up."""
    container = _container(client)
    networks: dict[str, Any] = container.attrs["NetworkSettings"]["Networks"] if container else {}
    address = networks.get("bridge", {}).get("IPAddress")
    return f"http://{address}:{PORT}" if address else None


def ensure_cache(client: DockerClient, say: Say) -> str | None:
    """Starts the cache where it is not running; its packages are kept in a volume. Returns `bridge_proxy`."""
    image = ensure_built(client, APT, _RELEASE, say)
    container = _container(client)
    if container is None or container.image.tags.count(image) == 0:
        if container is not None:
            container.remove(force=True)
        container = _create(client, image)
    if container.status != "running":
        container.start()
    proxy = bridge_proxy(client)
    if proxy is None:
        raise LabFailed("docker", "the engine has no default bridge network", "start dockerd without --bridge=none")
    wait_for_port(proxy.removeprefix("http://").partition(":")[0], PORT, _START_SECONDS, "the package cache")
    return proxy


def attach(client: DockerClient) -> None:
    """Gives the cache its address on every lab's network where it has none yet: a new one must serve them all."""
    container = _container(client)
    for network in client.networks.list(filters={"label": LABEL}):
        if network.name not in container.attrs["NetworkSettings"]["Networks"]:
            subnet = subnets(network.attrs)[0]
            network.connect(container, ipv4_address=str(subnet[APT_CACHE_OCTET]))


def remove(client: DockerClient, *, with_packages: bool = False) -> None:
    """Removes the cache's container, and only if asked the packages it has kept."""
    container = _container(client)
    if container is not None:
        container.remove(force=True)
    if with_packages:
        for volume in client.volumes.list(filters={"name": VOLUME}):
            volume.remove()


def wait_for_port(address: str, port: int, seconds: float, what: str) -> None:
    """Returns as soon as something listens there. Raises LabFailed when `seconds` have gone by."""
    until = time.monotonic() + seconds
    while True:
        try:
            with socket.create_connection((address, port), timeout=1):
                return
        except OSError as error:
            if time.monotonic() > until:
                hint = "a firewall between this machine and its containers? See: docker ps -a, docker logs"
                raise LabFailed("lab", f"{what} does not answer at {address}:{port} ({error})", hint) from None
            time.sleep(0.05)  # nothing tells when a port of another container opens; 50 ms is not felt


def _create(client: DockerClient, image: str) -> Any:
    from docker.errors import APIError
    from docker.types import Mount

    keep = Mount("/var/cache/apt-cacher-ng", VOLUME, labels={LABEL: ""})
    try:
        return client.containers.create(image, name=CONTAINER, mounts=[keep], labels={LABEL: ""})
    except APIError as error:
        if error.status_code == 409:  # another lab was quicker by a moment; its cache is this one's too
            return _container(client)
        raise


def _container(client: DockerClient) -> Any:
    from docker.errors import NotFound

    try:
        return client.containers.get(CONTAINER)
    except NotFound:
        return None
