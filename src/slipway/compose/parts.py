"""The parts of a service: typed, frozen, every field with what it promises."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

PortNumber = Annotated[int, Field(ge=1, le=65535)]


class Data(BaseModel):
    """Frozen and strict: no coercion, no unknown field."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class Build(Data):
    """How an image is built where no registry has it."""

    context: Path
    """Directory that is sent to the engine, absolute."""
    dockerfile: str = "Dockerfile"
    """Path of the Dockerfile, relative to the context."""
    args: dict[str, str] = Field(default_factory=dict)
    """Build arguments. They stay in the image, so a secret is refused here."""
    target: str | None = None
    """Stage of the Dockerfile to build."""


class Healthcheck(Data):
    """Docker's own check inside the container. Durations in seconds."""

    test: tuple[str, ...] | None = None
    """Words of the check, or one shell line where `shell` is true; None leaves the image's own."""
    shell: bool = False
    """Whether `test` is one line for the container's shell."""
    interval: Annotated[float, Field(gt=0)] = 30.0
    """Between two checks."""
    timeout: Annotated[float, Field(gt=0)] = 30.0
    """After which a check counts as failed."""
    start_period: Annotated[float, Field(ge=0)] = 0.0
    """Failures in this time after the start do not count."""
    start_interval: Annotated[float, Field(gt=0)] = 5.0
    """Between two checks while starting."""
    retries: Annotated[int, Field(ge=1)] = 3
    """Failures in a row that make the container unhealthy."""
    disabled: bool = False
    """Whether the image's own check is switched off."""


class ServiceSecret(Data):
    """A secret as one service sees it: a file."""

    source: str
    """Key under the top-level `secrets:`."""
    target: str
    """Absolute path of the file in the container."""
    uid: Annotated[int, Field(ge=0)] | None = None
    """Owner in the container; None means root."""
    gid: Annotated[int, Field(ge=0)] | None = None
    """Group in the container; None means root."""
    mode: Annotated[int, Field(ge=0, le=0o777)] = 0o444
    """Permission bits."""


class SecretRef(Data):
    """Where a secret's value comes from. Never the value."""

    name: str
    """Key in the Compose file."""
    kind: Literal["slipway", "file", "environment"]
    """slipway: the inventory's secret source; file: a file of the controller; environment: a variable of it."""
    source: str
    """Name in the secret source, absolute path of the file, or name of the variable."""


class Volume(Data):
    """Something mounted into the container."""

    type: Literal["bind", "volume", "tmpfs"]
    """bind: a path of the host; volume: a named volume of the host; tmpfs: memory."""
    source: str | None = None
    """Absolute path (bind) or key of the volume (volume); None for tmpfs."""
    target: str
    """Absolute path in the container."""
    read_only: bool = False
    """Whether the container may only read it."""
    size: Annotated[int, Field(ge=1)] | None = None
    """Largest size in bytes, tmpfs only."""


class Port(Data):
    """A port of the container, and where the host offers it."""

    published: PortNumber | None = None
    """Port of the host; None where the file names none."""
    target: PortNumber
    """Port of the container."""
    protocol: Literal["tcp", "udp"] = "tcp"
    """Transport."""
    host_ip: str | None = None
    """Address of the host the file binds to; None means the host's private address."""


class Ulimit(Data):
    """One limit of the kernel for the container's processes; -1 is unlimited."""

    soft: Annotated[int, Field(ge=-1)]
    """Limit that applies."""
    hard: Annotated[int, Field(ge=-1)]
    """Limit up to which a process may raise its own."""


class Logging(Data):
    """Where the container's output goes; the engine's default where a service says nothing."""

    driver: Literal["json-file", "local", "journald", "syslog", "fluentd", "gelf", "none"] = "json-file"
    """Docker's log driver."""
    options: dict[str, str] = Field(default_factory=dict)
    """Options of the driver, such as max-size."""


class Amounts(Data):
    """How much of a host."""

    cpus: Annotated[float, Field(gt=0)] | None = None
    """Processors; 0.5 is half of one."""
    memory: Annotated[int, Field(ge=6 * 1024 * 1024)] | None = None
    """Bytes; Docker allows no less than 6 MiB."""
    pids: Annotated[int, Field(ge=-1)] | None = None
    """Processes and threads."""


class Resources(Data):
    """What a service may take at most, and what must be free for it."""

    limits: Amounts = Amounts()
    """At most; a process over the memory limit is killed."""
    reservations: Amounts = Amounts()
    """Kept free on the host for each replica."""


class UpdateConfig(Data):
    """How replicas are replaced; the Compose specification's words. Durations in seconds.

    The defaults are the specification's; only `monitor`, where it says 0, is Docker's own 5 s: a container that ends
    right after its start would else count as replaced.
    """

    parallelism: Annotated[int, Field(ge=0)] = 1
    """Replicas at a time; 0 means all at once."""
    delay: Annotated[float, Field(ge=0)] = 0.0
    """Between two batches."""
    order: Literal["start-first", "stop-first"] = "stop-first"
    """Whether the new replica starts before the old one stops."""
    failure_action: Literal["pause", "continue", "rollback"] = "pause"
    """What follows a failed batch."""
    monitor: Annotated[float, Field(ge=0)] = 5.0
    """How long a replica must stay ready before its batch counts as done."""
    max_failure_ratio: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Share of replicas that may fail without failing the roll."""


class Placement(Data):
    """Where replicas may run. The group is `x-slipway.group`."""

    max_replicas_per_node: Annotated[int, Field(ge=1)] | None = None
    """At most so many replicas on one host."""
