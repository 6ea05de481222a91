"""Which host of an inventory this process runs on."""

from __future__ import annotations

import os
import socket
from contextlib import closing

from slipway.fleet import Fleet
from slipway.problems import BadInput, Problem, did_you_mean


def own_name() -> str:
    """The name that this host has itself, without its domain."""
    return socket.gethostname().partition(".")[0]


def refuse_elsewhere(fleet: Fleet, name: str) -> None:
    """Raises BadInput where this is not that host of the fleet, or not root's to run: nothing was touched."""
    place = f"--here {name}"
    names = [member.name for member in fleet]
    if name not in names:
        raise BadInput([Problem(place, "no host of the inventory is called that", did_you_mean(name, names))])
    address = fleet.member(name).address
    if not _is_ours(address):
        hint = f"run it on {name}; or its address in the inventory is not the one that it has"
        raise BadInput([Problem(place, f"{address} is no address of the host that this runs on", hint)])
    if os.geteuid() != 0:
        raise BadInput([Problem(place, "is root's to run", "a host that converges itself changes what is root's")])


def _is_ours(address: str) -> bool:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with closing(socket.socket(family, socket.SOCK_DGRAM)) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True
