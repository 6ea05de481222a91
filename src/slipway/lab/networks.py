"""A lab's network: a bridge of its own, with addresses known beforehand."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from slipway.lab.layout import GATEWAY_OCTET, LABEL, NETWORK, Layout, free_octet

if TYPE_CHECKING:
    from docker import DockerClient

_ALL_LABS = ipaddress.IPv4Network(f"{NETWORK}.0.0/16")


def of_labs(client: DockerClient) -> set[str]:
    """Names of the labs that have a network, of any checkout."""
    return {network.attrs["Labels"][LABEL] for network in client.networks.list(filters={"label": LABEL})}


def subnets(attributes: dict[str, object]) -> list[ipaddress.IPv4Network]:
    """A network's IPv4 ranges, from what the engine says about it."""
    ipam = attributes["IPAM"]
    pools = (ipam.get("Config") or []) if isinstance(ipam, dict) else []
    parsed = [ipaddress.ip_network(pool["Subnet"]) for pool in pools if "Subnet" in pool]
    return [subnet for subnet in parsed if isinstance(subnet, ipaddress.IPv4Network)]


def octet_for(client: DockerClient, lab: Layout) -> int:
    """The third octet of this lab: that of its network where it is up, else a free one. Raises BadInput for none."""
    mine = client.networks.list(names=[f"^{lab.network}$"])
    if mine:
        return int(subnets(mine[0].attrs)[0].network_address.packed[2])
    return free_octet(lab.name, taken_octets([net for each in client.networks.list() for net in subnets(each.attrs)]))


def taken_octets(used: list[ipaddress.IPv4Network]) -> set[int]:
    """Which of the labs' networks overlap with one of these."""
    near = [subnet for subnet in used if subnet.overlaps(_ALL_LABS)]
    return {
        octet
        for octet, network in enumerate(_ALL_LABS.subnets(new_prefix=24))
        if any(network.overlaps(subnet) for subnet in near)
    }


def ensure(client: DockerClient, lab: Layout) -> None:
    """Creates the lab's network where it is missing."""
    from docker.types import IPAMConfig, IPAMPool

    if client.networks.list(names=[f"^{lab.network}$"]):
        return
    pool = IPAMPool(subnet=lab.subnet, gateway=lab.at(GATEWAY_OCTET))
    client.networks.create(lab.network, driver="bridge", ipam=IPAMConfig(pool_configs=[pool]), labels=lab.labels)


def remove(client: DockerClient, lab: Layout) -> None:
    """Removes the lab's network; whatever is still on it, such as the package cache, is taken off first."""
    for network in client.networks.list(names=[f"^{lab.network}$"]):
        network.reload()
        for container in network.attrs["Containers"]:
            network.disconnect(container, force=True)
        network.remove()
