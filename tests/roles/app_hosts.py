"""A tiny shop on lab hosts: containers of one static program, made on the host itself."""

from __future__ import annotations

import json
from typing import Any

from slipway.container import ContainerSpec, Limits, Publish
from slipway.lab.lab import Lab
from slipway.ops.containers import Probe

STACK = "shop"
PORT = 18000
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
        "argv": ("sh", "-c", command), "environment": {"SLIPWAY_RELEASE": release},
        "ports": (Publish(lab.address(host), PORT, 8000),), "limits": Limits(0.5, 64 << 20, 100), "stop_timeout": 1,
    }  # fmt: skip
    return ContainerSpec(**(given | fields))


def probe(lab: Lab, host: str, deadline: float = 30, monitor: float = 1) -> Probe:
    """Readiness over HTTP on the host's private address."""
    return Probe("/ready", PORT, lab.address(host), deadline=deadline, monitor=monitor)


def answer(lab: Lab, host: str) -> str:
    """What the shop says on its private address; curl's complaint where nothing answers."""
    # Twenty seconds: these hosts share their processors with whatever else a test run starts.
    done = lab.exec(host, ["curl", "-sS", "-m", "20", f"http://{lab.address(host)}:{PORT}/ready"])
    return (done.stdout or done.stderr).strip()


def containers(lab: Lab, host: str) -> dict[str, str]:
    """Name to state of every container of the shop."""
    lines = shell(lab, host, "docker ps -a --filter label=slipway.stack=shop --format '{{.Names}} {{.State}}'")
    return dict(line.split() for line in lines.splitlines())


def inspect(lab: Lab, host: str, name: str = "shop-web-1") -> dict[str, Any]:
    """Everything that `docker inspect` tells."""
    found: list[dict[str, Any]] = json.loads(shell(lab, host, f"docker container inspect {name}"))
    return found[0]
