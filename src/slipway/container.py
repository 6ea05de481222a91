"""What one container is, in full: a specification with a digest, and the words that create it. Pure."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace

STACK, SERVICE, REPLICA, RELEASE, SPEC, PEER, PROBE = (
    f"slipway.{name}" for name in ("stack", "service", "replica", "release", "spec", "peer", "probe")
)
"""Labels of every container of ours. Nothing without the first of them is ever touched."""

PREVIOUS = "-previous"
"""Ends the name of a container that another has replaced and that is kept until its host's stage is over."""


@dataclass(frozen=True)
class Mount:
    """Something of the host inside the container."""

    type: str
    """bind, volume or tmpfs."""
    target: str
    source: str = ""
    """Path of the host, or name of the volume; empty for tmpfs."""
    read_only: bool = False
    size: int | None = None
    """Bytes, tmpfs only."""

    def word(self) -> str:
        """The value of `--mount`: CSV, so that a comma in a path stays a comma."""
        fields = [f"type={self.type}", f"target={self.target}"]
        fields += [f"source={self.source}"] if self.source else []
        fields += ["readonly"] if self.read_only else []
        fields += [f"tmpfs-size={self.size}"] if self.size else []
        out = io.StringIO()
        csv.writer(out, lineterminator="").writerow(fields)
        return out.getvalue()


@dataclass(frozen=True)
class Publish:
    """A port of the container on an address of the host."""

    address: str
    port: int
    target: int
    protocol: str = "tcp"

    def word(self) -> str:
        """The value of `--publish`."""
        address = f"[{self.address}]" if ":" in self.address else self.address
        return f"{address}:{self.port}:{self.target}/{self.protocol}"


@dataclass(frozen=True)
class Probe:
    """How a container shows on its own host that it serves. Durations in seconds."""

    path: str = ""
    """HTTP path that answers 200; empty means its HEALTHCHECK, or without one that it stays up."""
    port: int = 0
    address: str = ""
    """Address of the host that the port is published on; empty means the container's own address."""
    host: str = ""
    """Host header; empty is the address."""
    deadline: float = 60.0
    """Until it must be ready."""
    monitor: float = 5.0
    """How long it must then stay ready."""

    def words(self) -> list[str]:
        return [str(math.ceil(self.deadline)), str(math.ceil(self.monitor)),
                self.address, str(self.port), self.path, self.host]  # fmt: skip

    def label(self) -> str:
        return json.dumps(self.words())

    @classmethod
    def from_label(cls, label: str) -> Probe:
        """The probe that a container was started with; that it stays up where its label tells nothing."""
        try:
            deadline, monitor, address, port, path, name = json.loads(label)
            return cls(path, int(port), address, name, float(deadline), float(monitor))
        except (ValueError, TypeError):
            return cls()


@dataclass(frozen=True)
class HealthCommand:
    """Docker's own check; durations in seconds."""

    command: str = ""
    """One line for the container's shell; empty leaves the image's own."""
    interval: float = 30.0
    timeout: float = 30.0
    start_period: float = 0.0
    retries: int = 3
    disabled: bool = False

    def words(self) -> Iterator[str]:
        if self.disabled:
            yield "--no-healthcheck"
            return
        if self.command:
            yield from ("--health-cmd", self.command)
        yield from ("--health-interval", _duration(self.interval), "--health-timeout", _duration(self.timeout))
        yield from ("--health-start-period", _duration(self.start_period), "--health-retries", str(self.retries))


@dataclass(frozen=True)
class Limits:
    """At most. These are what `docker update` can change on a running container, so drift is looked for in them."""

    cpus: float | None = None
    memory: int | None = None
    """Bytes."""
    pids: int | None = None

    def words(self) -> Iterator[str]:
        if self.cpus is not None:
            yield from ("--cpus", f"{self.cpus:g}")
        if self.memory is not None:
            # Docker gives a container as much swap as memory; said aloud, an update of both is accepted in any order.
            yield from ("--memory", str(self.memory), "--memory-swap", str(2 * self.memory))
        if self.pids is not None:
            yield from ("--pids-limit", str(self.pids))

    @property
    def nano_cpus(self) -> int:
        return round((self.cpus or 0) * 10**9)


@dataclass(frozen=True)
class ContainerSpec:
    """One container in full. Two with the same digest are the same container."""

    stack: str
    service: str
    replica: int
    """Number of this container among those of its service on its host, from 1."""
    release: str
    image: str
    """Reference: a digest, or a tag that is made of the content."""
    network: str
    """Docker network of the host that it is in; other services of the stack find it there by its service's name."""
    argv: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    ports: tuple[Publish, ...] = ()
    """Fixed ones."""
    serves: tuple[Publish, ...] = ()
    """Where the edges may reach it: the port of each slot. It and the one that it replaces have different slots."""
    slot: int = 0
    """Which of those it has. Says nothing about what the container is, so it is not in its digest."""
    probe: Probe = field(default=Probe(), compare=False)
    """How it shows that it serves; neither in its digest."""
    mounts: tuple[Mount, ...] = ()
    tmpfs: tuple[str, ...] = ()
    extra_hosts: Mapping[str, str] = field(default_factory=dict)
    """Names in its /etc/hosts, and their addresses."""
    dns: tuple[str, ...] = ()
    dns_search: tuple[str, ...] = ()
    hostname: str | None = None
    user: str | None = None
    group_add: tuple[str, ...] = ()
    workdir: str | None = None
    limits: Limits = Limits()
    memory_reservation: int | None = None
    shm_size: int | None = None
    restart: str = "unless-stopped"
    """As `docker update --restart` takes it, such as on-failure:3."""
    health: HealthCommand | None = None
    stop_signal: str | None = None
    stop_timeout: float = 10.0
    read_only: bool = False
    init: bool = False
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    security_opt: tuple[str, ...] = ()
    sysctls: Mapping[str, str] = field(default_factory=dict)
    ulimits: Mapping[str, str] = field(default_factory=dict)
    log_driver: str = ""
    log_options: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.stack}-{self.service}-{self.replica}"

    @property
    def published(self) -> tuple[Publish, ...]:
        """Every port of the host that it takes."""
        return (*self.serves[self.slot : self.slot + 1], *self.ports)

    @property
    def placed_probe(self) -> Probe:
        """The probe, asked at the port of its slot where that is the one that is to answer."""
        at = self.serves[self.slot] if self.serves else None
        if at is None or not self.probe.path or self.probe.address or self.probe.port != at.target:
            return self.probe
        return replace(self.probe, port=at.port, address=at.address)

    @property
    def peer(self) -> str:
        """Address and port where the edges reach it; empty for one that they do not."""
        return f"{self.serves[self.slot].address}:{self.serves[self.slot].port}" if self.serves else ""

    def digest(self) -> str:
        """Short hash of what it is; the label by which a container is known to be this one, in whichever slot."""
        fields = {key: value for key, value in asdict(self).items() if key not in ("slot", "probe")}
        told = json.dumps(fields, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(told.encode()).hexdigest()[:16]

    def own_labels(self) -> dict[str, str]:
        return {
            STACK: self.stack, SERVICE: self.service, REPLICA: str(self.replica), RELEASE: self.release,
            SPEC: self.digest(), PEER: self.peer, PROBE: self.placed_probe.label(),
        }  # fmt: skip

    def create_words(self) -> list[str]:
        """What follows `docker create`. Never a secret: those are files that a mount brings.

        Without the restart policy: it is set once the container has proved itself, so that one which dies while it is
        watched stays as it fell, with its exit code.
        """
        return ["--name", self.name, "--pull", "never", "--restart", "no", *self._options(), *self._image_and_argv()]

    def job_words(self, name: str) -> list[str]:
        """What follows `docker create` for a single run with the same surroundings: no ports, not found by services."""
        return ["--name", name, "--pull", "never", "--restart", "no", "--no-healthcheck",
                "--network", self.network, *self._surroundings(), *self._image_and_argv()]  # fmt: skip

    def _options(self) -> Iterator[str]:
        yield from ("--network", self.network, "--network-alias", self.service)
        yield from _each("--publish", [port.word() for port in self.published])
        yield from _each(
            "--label", [f"{key}={value}" for key, value in (*self.labels.items(), *self.own_labels().items())]
        )
        yield from self.health.words() if self.health else ()
        if self.stop_signal:
            yield from ("--stop-signal", self.stop_signal)
        yield from ("--stop-timeout", str(math.ceil(self.stop_timeout)))
        if self.hostname:
            yield from ("--hostname", self.hostname)
        if self.log_driver:
            yield from ("--log-driver", self.log_driver)
        yield from _each("--log-opt", [f"{key}={value}" for key, value in self.log_options.items()])
        yield from self._surroundings()

    def _surroundings(self) -> Iterator[str]:
        yield from _each("--env", [f"{key}={value}" for key, value in self.environment.items()])
        yield from _each("--mount", [mount.word() for mount in self.mounts])
        yield from _each("--tmpfs", [_with_mode(each) for each in self.tmpfs])
        yield from _each("--add-host", [f"{name}:{address}" for name, address in self.extra_hosts.items()])
        yield from _each("--dns", self.dns)
        yield from _each("--dns-search", self.dns_search)
        yield from ("--user", self.user) if self.user else ()
        yield from _each("--group-add", self.group_add)
        yield from ("--workdir", self.workdir) if self.workdir else ()
        yield from self.limits.words()
        yield from ("--memory-reservation", str(self.memory_reservation)) if self.memory_reservation else ()
        yield from ("--shm-size", str(self.shm_size)) if self.shm_size else ()
        yield from ["--read-only"] if self.read_only else []
        yield from ["--init"] if self.init else []
        yield from _each("--cap-add", self.cap_add)
        yield from _each("--cap-drop", self.cap_drop)
        yield from _each("--security-opt", self.security_opt)
        yield from _each("--sysctl", [f"{key}={value}" for key, value in self.sysctls.items()])
        yield from _each("--ulimit", [f"{key}={value}" for key, value in self.ulimits.items()])

    def _image_and_argv(self) -> list[str]:
        # `--entrypoint` takes one word; what follows it in Compose's list comes first among the arguments.
        entry = self.entrypoint
        words = ["--entrypoint", entry[0] if entry else ""] if entry is not None else []
        return [*words, self.image, *(entry or ())[1:], *(self.argv or ())]


def _with_mode(tmpfs: str) -> str:
    """A tmpfs open to every user, as /tmp is, where it does not say otherwise: at a container's second start Docker
    would give it the mode of the directory below, which an image need not have."""
    path, _, options = tmpfs.partition(":")
    return tmpfs if "mode=" in options else f"{path}:{options}{',' if options else ''}mode=1777"


def _each(option: str, values: list[str] | tuple[str, ...]) -> Iterator[str]:
    for value in values:
        yield from (option, value)


def _duration(seconds: float) -> str:
    return f"{round(seconds * 1000)}ms"
