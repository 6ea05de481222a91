"""A tiny shop on lab hosts: containers of one static program, made on the host itself."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from pyinfra import host as current_host

from slipway import seam
from slipway.compose import load
from slipway.compose.host_ports import REPLICAS_ON_A_HOST, SLOTS
from slipway.container import ContainerSpec, Limits, Probe, Publish
from slipway.context import Context
from slipway.disruption import Handler, handle_disruptions
from slipway.facts.containers import DockerFact, DockerState
from slipway.fleet import Fleet, Member
from slipway.lab.lab import Lab
from slipway.ops import containers as ops
from slipway.ops.containers import Replica
from slipway.ops.containers_script import REPLACE
from slipway.remote import Remote
from slipway.secrets import Secrets
from tests.labs import lab_of_tests
from tests.roles.convergence import Outcome, connected, converge

HOSTS = ("worker1", "worker2")  # Debian 13 and 12
STACK = "shop"
PORT = 18000
"""Of the first replica in its first slot; its other slot is five above."""
READY = Probe("/ready", 8000, deadline=30, monitor=1)
"""Readiness over HTTP at the port of whichever slot it has."""
SERVES = "mkdir -p /www && echo $SLIPWAY_RELEASE > /www/ready && exec busybox httpd -f -p 8000 -h /www"
"""Answers GET /ready with its release."""

_INSTALL = """
set -e
export DEBIAN_FRONTEND=noninteractive
if ! command -v docker >/dev/null || ! command -v curl >/dev/null || [ ! -x /bin/busybox ]; then
  apt-get update -q
  cli=$(apt-cache show docker-cli >/dev/null 2>&1 && echo docker-cli || true)
  apt-get install -qy --no-install-recommends docker.io $cli curl busybox-static
fi
if ! docker image inspect tiny:1 >/dev/null 2>&1; then
  root=$(mktemp -d); mkdir -p "$root/bin"; cp "$(command -v busybox)" "$root/bin/busybox"
  for name in sh mkdir sleep echo head tail cat env dd; do ln -s busybox "$root/bin/$name"; done
  tar -C "$root" -c . | docker import - tiny:1
  echo two > "$root/two"; tar -C "$root" -c . | docker import - tiny:2
fi
"""


@contextmanager
def workers() -> Iterator[Lab]:
    """Two workers with Docker, one Debian 13 and one Debian 12."""
    lab = lab_of_tests("app")
    booted = lab.up(HOSTS)
    for host in HOSTS:
        prepare(lab, host)
    yield lab
    if booted:  # one that was up stays up
        lab.down()


def prepare(lab: Lab, host: str) -> None:
    """Docker, curl, and the images tiny:1 and tiny:2 on a host."""
    done = lab.exec(host, ["sh", "-c", _INSTALL])
    assert done.code == 0, done.stderr


def clear(lab: Lab, host: str) -> None:
    """Nothing of the shop is left on a host."""
    shell(
        lab, host, "docker ps -aq --filter label=slipway.stack=shop | xargs -r docker rm -f; rm -rf /var/lib/slipway/*"
    )


def shell(lab: Lab, host: str, command: str) -> str:
    """Output of a command that must succeed."""
    done = lab.exec(host, ["sh", "-c", command])
    assert done.code == 0, f"{command}: {done.stderr}"
    return done.stdout.strip()


def spec(lab: Lab, host: str, release: str = "one", command: str = SERVES, **fields: Any) -> ContainerSpec:
    """One web container of the shop on a host."""
    given: dict[str, Any] = {
        "stack": STACK, "service": "web", "replica": 1, "release": release, "image": "tiny:1", "network": STACK,
        "argv": ("sh", "-c", command), "environment": {"SLIPWAY_RELEASE": release}, "probe": READY,
        "serves": slots(lab.address(host), fields.get("replica", 1)),
        "limits": Limits(0.5, 64 << 20, 100), "stop_timeout": 1,
    }  # fmt: skip
    return ContainerSpec(**(given | fields))


def slots(address: str, replica: int) -> tuple[Publish, ...]:
    """Where the edges may reach it: a port for each slot."""
    first = PORT + replica - 1
    return tuple(Publish(address, first + slot * REPLICAS_ON_A_HOST, 8000) for slot in range(SLOTS))


def state(lab: Lab, host: str) -> DockerState:
    """What the fact says of the shop on a host."""
    return DockerFact().process(shell(lab, host, str(DockerFact().command(STACK))).splitlines())


Order = Literal["start-first", "stop-first"]
Steps = Literal["started", "stopped", "sealed"]


def bring(
    lab: Lab, host: str, wanted: Sequence[Replica], until: Steps = "sealed", gate: Handler | None = None
) -> Outcome:
    """These replicas on a host: started together, what they replaced stopped, sealed; as far as that is wanted.

    + gate: asked before anything is taken out of service, as the engine does
    """

    def tasks(name: str) -> None:
        handle_disruptions(current_host, gate)
        ops.network(name="Create the stack's network", stack=STACK)
        ops.started(name="Run containers", stack=STACK, wanted=wanted)
        if until != "started":
            ops.stopped(name="Stop replaced containers", stack=STACK, wanted=wanted)
        if until == "sealed":
            ops.seal(name="Remove replaced containers", stack=STACK)

    return converge(lab, [host], tasks)[host]


def replacement(lab: Lab, host: str, wanted: Sequence[Replica]) -> list[str]:
    """The command by which these come up, as their host gets it."""
    found = state(lab, host)
    moves = [ops.move_of(each, found) for each in wanted]
    text = ops.wave([(REPLACE, move.words()) for move in moves], max(move.seconds() for move in moves))
    return ["sh", "-c", str(text)]


@contextmanager
def remotes(lab: Lab, hosts: Sequence[str]) -> Iterator[dict[str, Remote]]:
    """Connections to hosts, as the engine has them outside of an operation."""
    seam.install()
    inventory = connected(lab, list(hosts)).inventory
    try:
        yield {host.name: Remote(host) for host in inventory}
    finally:
        for host in inventory:
            host.disconnect()


COMPOSE = """\
name: shop
services:
  web:
    image: tiny:1
    deploy:
      replicas: 2
      update_config: {order: start-first}
      rollback_config: {order: start-first}
    x-slipway: {edge: {hosts: [shop.test], port: 8000}, published_base: 18000, drain_seconds: 5}
"""


def context(lab: Lab, host: str, folder: Path, compose: str = COMPOSE) -> Context:
    """A worker of the shop as a role sees it: two of them, and the stack of a Compose file."""
    (folder / "compose.yaml").write_text(compose)
    fleet = Fleet("test", tuple(Member(name, lab.address(name), ("workers",)) for name in HOSTS))
    stack = load(folder / "compose.yaml", variables={})
    return Context(fleet.member(host), fleet, Secrets("test", lambda name: None), stack)


def answer(lab: Lab, host: str, name: str = "shop-web-1") -> str:
    """What a container of the shop says where the edges reach it; curl's complaint where it does not answer."""
    # Twenty seconds: these hosts share their processors with whatever else a test run starts.
    url = f"http://{state(lab, host).containers[name].peer}/ready"
    done = lab.exec(host, ["curl", "-sS", "-m", "20", url])
    return (done.stdout or done.stderr).strip()


def containers(lab: Lab, host: str) -> dict[str, str]:
    """Name to state of every container of the shop."""
    lines = shell(lab, host, "docker ps -a --filter label=slipway.stack=shop --format '{{.Names}} {{.State}}'")
    return dict(line.split() for line in lines.splitlines())


def inspect(lab: Lab, host: str, name: str = "shop-web-1") -> dict[str, Any]:
    """Everything that `docker inspect` tells."""
    found: list[dict[str, Any]] = json.loads(shell(lab, host, f"docker container inspect {name}"))
    return found[0]
