"""Edges for the tests of the nginx role: their data, their peers on loopback addresses, and what goes through them."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pyinfra.api import StringCommand

from roles.nginx import role
from slipway.context import Context
from slipway.fleet import Fleet, Machine, Member
from slipway.lab.hosts import hosts_named
from slipway.lab.lab import Lab
from slipway.remote import RemoteFailed
from slipway.secrets import Secrets
from tests.roles.convergence import Outcome, converge

EDGES = ("edge1", "edge2")
"""A Debian 13 (nginx 1.26) and a Debian 12 (nginx 1.22)."""
PEERS = ("127.0.0.2", "127.0.0.3", "127.0.0.4")
"""Each edge has its own: addresses of loopback stand for the hosts behind it."""
PEER_PORT, SECOND_PORT = 9000, 9005
FIRST = tuple(f"{address}:{PEER_PORT}" for address in PEERS)
SECOND = tuple(f"{address}:{SECOND_PORT}" for address in PEERS)
"""The two ports of the application's replicas."""
HOLD_SECONDS = 3
"""Shorter than the default: a test waits for it."""
_ROUTES = {
    "turn.test": "round_robin",
    "least.test": "least_conn",
    "cookie.test": "sticky_cookie",
    "address.test": "sticky_address",
}
APP = {f"app-{host}": f"app-{balance.replace('_', '-')}" for host, balance in _ROUTES.items()}
"""Name of a site to the service of the application behind it, each balanced in another way."""


def edge_data(**differences: Any) -> dict[str, Any]:
    """Sites with every way of balancing, as group_data would hold them."""
    peers = [{"host": address, "port": PEER_PORT} for address in PEERS]
    extra_upstreams: dict[str, Any] = {
        balance.replace("_", "-"): {"peers": peers, "balance": balance} for balance in _ROUTES.values()
    }
    peers_of_services = [{**peer, "second_port": SECOND_PORT} for peer in peers]
    upstreams: dict[str, Any] = {
        service: {"peers": peers_of_services, "balance": balance}
        for service, balance in zip(APP.values(), _ROUTES.values(), strict=True)
    }
    upstreams["moved"] = {"peers": [{"host": address, "port": 9, "second_port": SECOND_PORT} for address in PEERS]}
    upstreams["sick"] = {"peers": peers_of_services, "probe_path": "/status/503"}
    extra_upstreams["lone"] = {"peers": peers[:1]}
    extra_upstreams["dead-first"] = {"peers": [{"host": "127.0.0.5", "port": 9}, peers[0]]}
    sites = [
        {"name": host, "hosts": [host], "routes": [{"upstream": balance.replace("_", "-")}]}
        for host, balance in _ROUTES.items()
    ]
    for host, service in [*APP.items(), ("moved.test", "moved"), ("sick.test", "sick")]:
        routes = [{"upstream": service}, {"upstream": service, "path": "/ws", "websocket": True}]
        sites.append({"name": host, "hosts": [host], "routes": routes})
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
        "upstreams": upstreams,
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
    """The peers of one edge, each a unit of its own; those of second ports tell their port too."""
    script = (Path(__file__).parent / "nginx_peer.pl").read_text(encoding="utf-8")
    put = lab.exec(edge, ["sh", "-c", 'printf %s "$1" > /run/peer.pl', "sh", script])
    assert put.code == 0, put.stderr
    for address in PEERS:
        start_peer(lab, edge, address, PEER_PORT, address)
        start_peer(lab, edge, address, SECOND_PORT, f"{address}:{SECOND_PORT}")
    # Perl starts in a tenth of a second; a peer that is not there yet would be marked as down.
    time.sleep(0.5)


def start_peer(lab: Lab, edge: str, address: str, port: int, name: str) -> None:
    unit = f"--unit={unit_of(address, port)}"
    lab.exec(edge, ["systemd-run", unit, "--collect", "perl", "/run/peer.pl", address, str(port), name])


def unit_of(address: str, port: int) -> str:
    return f"peer-{address}-{port}"


class Shell:
    """An edge as the traffic sees it: commands as root, over the lab's own way in."""

    def __init__(self, lab: Lab, name: str) -> None:
        self._lab = lab
        self.name = name

    def run(self, command: StringCommand, timeout: int = 60) -> list[str]:
        done = self._lab.exec(self.name, ["timeout", str(timeout), "sh", "-c", command.get_raw_value()])
        if done.code:
            raise RemoteFailed(self.name, done.stderr.splitlines())
        return done.stdout.splitlines()


def curl(lab: Lab, edge: str, host: str, path: str = "/", *options: str) -> subprocess.CompletedProcess[str]:
    """One request from this machine, over plain HTTP."""
    url = f"http://{lab.address(edge)}{path}"
    words = ["curl", "-s", "--max-time", "20", "-H", f"Host: {host}", *options, url]
    return subprocess.run(words, capture_output=True, text=True, check=False)


def code(lab: Lab, edge: str, host: str, path: str = "/", *options: str) -> str:
    """The status of the answer."""
    return curl(lab, edge, host, path, "-o", "/dev/null", "-w", "%{http_code}", *options).stdout


def peer(lab: Lab, edge: str, host: str, *options: str) -> str:
    """The name of the peer that answered."""
    return curl(lab, edge, host, "/", *options).stdout.partition("\n")[0]


def shell(lab: Lab, edge: str, script: str, *arguments: str) -> str:
    """What a script on the edge prints; it must succeed."""
    done = lab.exec(edge, ["sh", "-c", script, "sh", *arguments])
    assert done.code == 0, done.stderr
    return done.stdout.strip()


def inflight(lab: Lab, edge: str, address: str) -> int:
    """Requests under way at a host or a peer, as the edge counts them."""
    return int(shell(lab, edge, "slipway-edge wait $1 0", address))


def forget(lab: Lab, edge: str) -> None:
    """Nobody is drained, nobody admitted, no canary."""
    said = state(lab, edge)
    services = [name for name, each in said["upstreams"].items() if each["admission"]]
    admitted = {peer["address"] for name in services for peer in said["upstreams"][name].get("admitted", [])}
    shell(lab, edge, 'slipway-edge canary "$1" off', ",".join(services))
    if admitted:
        shell(lab, edge, 'slipway-edge dismiss "$1"', ",".join(admitted))
    if said["drained"]:
        shell(lab, edge, 'slipway-edge restore "$1"', ",".join(said["drained"]))


def state(lab: Lab, edge: str) -> dict[str, Any]:
    """What the edge says of itself on its control socket."""
    said = lab.exec(edge, ["slipway-edge", "state"])
    assert said.code == 0, said.stderr
    found: dict[str, Any] = json.loads(said.stdout)
    return found
