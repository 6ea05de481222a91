"""Edges for the tests of the nginx role: their data, their peers on loopback addresses, and what goes through them."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from roles.nginx import role
from slipway.context import Context
from slipway.fleet import Fleet, Machine, Member
from slipway.lab.hosts import hosts_named
from slipway.lab.lab import Lab
from slipway.secrets import Secrets
from tests.roles.convergence import Outcome, converge

PEERS = ("127.0.0.2", "127.0.0.3", "127.0.0.4")
"""Each edge has its own: addresses of loopback stand for the hosts behind it."""
PEER_PORT = 9000
HOLD_SECONDS = 3
"""Shorter than the default: a test waits for it."""
_ROUTES = {
    "turn.test": "round_robin",
    "least.test": "least_conn",
    "cookie.test": "sticky_cookie",
    "address.test": "sticky_address",
}


def edge_data(**differences: Any) -> dict[str, Any]:
    """Sites with every way of balancing, as group_data would hold them."""
    peers = [{"host": address, "port": PEER_PORT} for address in PEERS]
    extra_upstreams: dict[str, Any] = {
        balance.replace("_", "-"): {"peers": peers, "balance": balance} for balance in _ROUTES.values()
    }
    extra_upstreams["lone"] = {"peers": peers[:1]}
    extra_upstreams["dead-first"] = {"peers": [{"host": "127.0.0.5", "port": 9}, peers[0]]}
    sites = [
        {"name": host, "hosts": [host], "routes": [{"upstream": balance.replace("_", "-")}]}
        for host, balance in _ROUTES.items()
    ]
    odd = [
        {"path": "/", "upstream": "lone"},
        {"path": "/api", "upstream": "lone", "strip_prefix": True},
        {"path": "/ws", "upstream": "least-conn", "websocket": True, "read_timeout": 86400},
        {"path": "/few", "upstream": "lone", "rate_limit": {"requests": 1, "per": "second", "burst": 2}},
        {"path": "/small", "upstream": "lone", "max_body": 10},
        {"path": "/dead", "upstream": "dead-first"},
    ]
    sites.append({"name": "by-address", "hosts": ["192.0.2.1"], "routes": [{"upstream": "lone"}]})
    sites.append({"name": "odd.test", "hosts": ["odd.test", "*.odd.test"], "routes": odd})
    return {
        "https_redirect": False,
        "hold_seconds": HOLD_SECONDS,
        "extra_upstreams": extra_upstreams,
        "extra_sites": sites,
        **differences,
    }


def context(lab: Lab, name: str) -> Context:
    """Where the role stands on that host of the lab."""
    hosts = hosts_named([])
    members = tuple(Member(host.name, lab.address(host.name), host.groups) for host in hosts)
    fleet = Fleet("lab", members)
    debian = next(host.debian for host in hosts if host.name == name)
    machine = Machine("debian", str(debian), "", "amd64", cpus=2, memory_mb=2048)
    return Context(fleet.member(name), fleet, Secrets("test", lambda key: None), machine=machine)


def bring(lab: Lab, edges: Sequence[str], data: Mapping[str, Any] | None = None) -> dict[str, Outcome]:
    """Converges the edges to this data, as the engine would."""
    declared = edge_data() if data is None else data

    def tasks(name: str) -> None:
        ctx = context(lab, name)
        role.tasks(role.wanted(declared, ctx), ctx)

    return converge(lab, list(edges), tasks)


def start_peers(lab: Lab, edge: str) -> None:
    """The peers of one edge, each a unit of its own."""
    script = (Path(__file__).parent / "nginx_peer.pl").read_text(encoding="utf-8")
    put = lab.exec(edge, ["sh", "-c", 'printf %s "$1" > /run/peer.pl', "sh", script])
    assert put.code == 0, put.stderr
    for number, address in enumerate(PEERS):
        unit = f"--unit=peer-{number}"
        lab.exec(edge, ["systemd-run", unit, "--collect", "perl", "/run/peer.pl", address, str(PEER_PORT)])
    # Perl starts in a tenth of a second; a peer that is not there yet would be marked as down.
    time.sleep(0.5)


def state(lab: Lab, edge: str) -> dict[str, Any]:
    """What the edge says of itself on its control socket."""
    said = lab.exec(edge, ["slipway-edge", "state"])
    assert said.code == 0, said.stderr
    found: dict[str, Any] = json.loads(said.stdout)
    return found
