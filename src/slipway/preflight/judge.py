"""From how hosts stand to what is found. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

from slipway.needs import Needs
from slipway.preflight.certificates import certificates
from slipway.preflight.clock import clock, clocks
from slipway.preflight.findings import Finding
from slipway.preflight.packages import mirror, packages
from slipway.preflight.ports import ports
from slipway.preflight.reaching import images, reaches
from slipway.preflight.resources import DOCKER_ROOT, disk, memory, paths_of
from slipway.preflight.subject import Subject
from slipway.preflight.system import docker, reboot, system, units

EACH: tuple[Callable[[Subject], Iterator[Finding]], ...] = (
    system, docker, disk, memory, clock, mirror, packages, ports, units, reboot,
)  # fmt: skip
"""What is judged of each host by itself."""


def words_for(needs: Needs, thorough: bool = False) -> list[str]:
    """What the host is to look for, as its script takes it.

    + thorough: tries mirrors also where nothing is to be installed
    """
    rooms = [*needs.rooms]
    paths = [*paths_of(rooms), *([DOCKER_ROOT] if needs.images else [])]
    names = dict.fromkeys(name for each in needs.packages for name in each.names)
    return [
        *(f"disk:{path}" for path in dict.fromkeys(paths)),
        *(f"port:{number}" for number in dict.fromkeys(port.port for port in needs.ports)),
        *(f"package:{name}" for name in names),
        *(f"certificate:{each.where}" for each in needs.certificates if not each.chain),
        *(f"reach:{each.host}:{each.port}" for each in needs.reaches),
        *(["fetches:"] if thorough else []),
    ]


def judge(hosts: Mapping[str, Subject], now: datetime, engine: str = "") -> Iterator[Finding]:
    """Everything that is found of the hosts that answer.

    + engine: what is wrong with the Docker engine of this machine; empty where nothing is, or nobody needs it
    """
    for host in hosts.values():
        for look in EACH:
            yield from look(host)
        yield from certificates(host, now)
    offsets = {name: host.offset for name, host in hosts.items()}
    off = list(clocks(offsets))
    yield from off
    yield from (each.fine("clock", f"{abs(each.offset.seconds):.1f} s off") for each in hosts.values() if not off)
    yield from reaches(hosts)
    yield from images(hosts, engine)
