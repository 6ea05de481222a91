"""What Docker on a host has of a stack: containers, networks, and the images that a reference means there."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pyinfra.api import FactBase, StringCommand

from slipway.container import PEER, PREVIOUS, PROBE, RELEASE, REPLICA, SERVICE, SPEC, Probe
from slipway.facts.files import script

UNPROVEN = "/var/lib/slipway/unproven"
"""Directory with a marker for each container that was started and has not yet been seen ready."""

_FORMAT = (
    '{"name":{{json .Name}},"image":{{json .Image}},"labels":{{json .Config.Labels}},"status":{{json .State.Status}},'
    '"exit_code":{{.State.ExitCode}},"oom_killed":{{.State.OOMKilled}},"restarts":{{.RestartCount}},'
    '"started":{{json .State.StartedAt}},'
    '"health":{{if .State.Health}}{{json .State.Health.Status}}{{else}}""{{end}},'
    '"memory":{{.HostConfig.Memory}},"nano_cpus":{{.HostConfig.NanoCPUs}},"pids":{{json .HostConfig.PidsLimit}},'
    '"restart":{{json .HostConfig.RestartPolicy}},"grace":{{json .Config.StopTimeout}},'
    '"ports":{{json .HostConfig.PortBindings}}}'
)

_SCRIPT = """\
command -v docker >/dev/null 2>&1 || exit 0
if ! ids=$(docker ps --all --quiet --no-trunc --filter "label=slipway.stack=$1" 2>&1); then
  # An engine that is switched off has nothing running; one that should answer and does not is an error.
  systemctl is-active --quiet docker || exit 0
  echo "$ids" >&2; exit 1
fi
[ -z "$ids" ] || docker container inspect --format "container $2" $ids || exit 1
[ -z "$ids" ] || echo "now $(date +%s)"
docker image ls --no-trunc --digests --format 'image {{.Repository}} {{.Tag}} {{.Digest}} {{.ID}}' || exit 1
docker network ls --filter "label=slipway.stack=$1" --format 'network {{.Name}}' || exit 1
[ ! -d "$3" ] || for marker in "$3"/*; do [ ! -e "$marker" ] || echo "unproven ${marker##*/}"; done
"""


CRASHES, CRASH_SECONDS = 3, 30
"""Restarts, and seconds since the last one, from which a container counts as crash-looping. Docker waits ever longer
between two of them, so that after three the next is seconds away."""


@dataclass(frozen=True)
class Found:
    """One container of ours, as Docker has it."""

    name: str
    image: str
    """Id of the image that it was made from."""
    status: str
    """created, running, paused, restarting, removing, exited or dead."""
    labels: Mapping[str, str] = field(default_factory=dict)
    exit_code: int = 0
    oom_killed: bool = False
    health: str = ""
    """starting, healthy, unhealthy; empty without a HEALTHCHECK."""
    restarts: int = 0
    up_seconds: float = math.inf
    """Seconds since it was started last, by the host's clock."""
    memory: int = 0
    nano_cpus: int = 0
    pids: int = 0
    """0 is unlimited."""
    restart: str = ""
    """Restart policy as `--restart` takes it."""
    grace: float = 10.0
    """Seconds between the signal that asks it to end and SIGKILL."""
    addresses: frozenset[str] = frozenset()
    """Addresses of the host that its ports are bound to."""

    @property
    def is_crash_looping(self) -> bool:
        """Whether its policy restarts it again and again, also where it happens to be up at the moment."""
        return self.restarts >= CRASHES and self.up_seconds < CRASH_SECONDS

    @property
    def is_previous(self) -> bool:
        """Whether another container has taken its name."""
        return self.name.endswith(PREVIOUS)

    @property
    def service(self) -> str:
        return self.labels.get(SERVICE, "")

    @property
    def replica(self) -> str:
        return self.labels.get(REPLICA, "")

    @property
    def release(self) -> str:
        return self.labels.get(RELEASE, "")

    @property
    def spec(self) -> str:
        return self.labels.get(SPEC, "")

    @property
    def peer(self) -> str:
        """Address and port where the edges reach it; empty for one that they do not."""
        return self.labels.get(PEER, "")

    @property
    def probe(self) -> Probe:
        """How it shows that it serves."""
        return Probe.from_label(self.labels.get(PROBE, ""))

    @property
    def is_well(self) -> bool:
        """Whether it runs, stays up, and no HEALTHCHECK complains."""
        return self.status == "running" and not self.is_crash_looping and self.health in ("", "healthy", "starting")


@dataclass(frozen=True)
class DockerState:
    """Everything of one stack on one host."""

    containers: Mapping[str, Found] = field(default_factory=dict)
    """By name."""
    images: Mapping[str, str] = field(default_factory=dict)
    """Image id by reference, `name:tag` and `name@digest`, of every image on the host."""
    networks: frozenset[str] = frozenset()
    unproven: frozenset[str] = frozenset()

    def image_id(self, reference: str) -> str:
        """Id of the image that the reference means there; empty where it means none."""
        return self.images.get(familiar(reference), "")

    @property
    def previous(self) -> tuple[str, ...]:
        return tuple(sorted(name for name, found in self.containers.items() if found.is_previous))


def familiar(reference: str) -> str:
    """The reference as Docker lists it: Docker Hub's own prefixes are left out, `latest` is said."""
    for prefix in ("index.docker.io/", "docker.io/"):
        reference = reference.removeprefix(prefix)
    reference = reference.removeprefix("library/")
    if "@" in reference:
        name, digest = reference.split("@", 1)
        return f"{_without_tag(name)}@{digest}"
    return reference if reference != _without_tag(reference) else f"{reference}:latest"


def _without_tag(name: str) -> str:
    head, _, last = name.rpartition("/")
    return f"{head}/{last.partition(':')[0]}" if head else last.partition(":")[0]


class DockerFact(FactBase[DockerState]):
    """Containers and networks of a stack, and all images, in one command. Empty where Docker is not there or off."""

    def command(self, stack: str) -> StringCommand:
        return script(_SCRIPT, stack, _FORMAT, UNPROVEN)

    @staticmethod
    def default() -> DockerState:
        return DockerState()

    def process(self, output: list[str]) -> DockerState:
        rows: dict[str, list[str]] = {"container": [], "image": [], "network": [], "unproven": [], "now": ["0"]}
        for line in output:
            kind, _, rest = line.partition(" ")
            rows.get(kind, []).append(rest)
        now = float(rows["now"][-1])
        found = [found_container(json.loads(row), now) for row in rows["container"]]
        images = {name: identity for row in rows["image"] for name, identity in _image_names(row)}
        return DockerState(
            {each.name: each for each in found}, images, frozenset(rows["network"]), frozenset(rows["unproven"])
        )


def found_container(said: Mapping[str, Any], now: float = math.inf) -> Found:
    """A container from what the inspect template says of it; `now` is the host's clock, in seconds since 1970."""
    policy = said["restart"]
    attempts = policy.get("MaximumRetryCount") or 0
    bindings = [binding for each in (said["ports"] or {}).values() for binding in each or []]
    return Found(
        name=said["name"].lstrip("/"), image=said["image"], status=said["status"], labels=said["labels"] or {},
        exit_code=said["exit_code"], oom_killed=said["oom_killed"], health=said["health"], restarts=said["restarts"],
        up_seconds=now - _seconds(said.get("started", "")),
        memory=said["memory"], nano_cpus=said["nano_cpus"], pids=max(said["pids"] or 0, 0),
        restart=f"{policy['Name']}:{attempts}" if attempts else policy["Name"],
        grace=10.0 if said["grace"] is None else said["grace"],
        addresses=frozenset(binding["HostIp"] for binding in bindings),
    )  # fmt: skip


def _seconds(timestamp: str) -> float:
    """Docker's time stamp (UTC, to the nanosecond) as seconds since 1970; 0 where it has none."""
    return datetime.fromisoformat(f"{timestamp[:19]}+00:00").timestamp() if len(timestamp) > 19 else 0.0


def _image_names(row: str) -> list[tuple[str, str]]:
    repository, tag, digest, identity = row.split(" ")
    names = [f"{repository}:{tag}"] if tag != "<none>" else []
    names += [f"{repository}@{digest}"] if digest != "<none>" else []
    return [(name, identity) for name in names] if repository != "<none>" else []
