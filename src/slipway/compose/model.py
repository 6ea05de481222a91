"""A Compose file as Slipway understands it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from slipway.compose.extension import CanarySettings, Edge, Migration, ReleaseSettings, Rollout, ServiceExtension
from slipway.compose.parts import (
    Build,
    Data,
    Healthcheck,
    Logging,
    Placement,
    Port,
    Resources,
    SecretRef,
    ServiceSecret,
    Ulimit,
    UpdateConfig,
    Volume,
)
from slipway.problems import did_you_mean

Condition = Literal["service_started", "service_healthy"]

_DECIDES_NOT_WHAT_RUNS = {"update", "rollback", "replicas", "mode", "placement", "depends_on", "build", "x"}


class Service(Data):
    """One application service: a container, times its replicas."""

    stack: str
    """Name of the stack it belongs to."""
    name: str
    """Name in the Compose file, and the name other services reach it by."""
    image: str | None = None
    """Image reference as written; None where only `build` is given."""
    build: Build | None = None
    """How to build the image."""
    command: tuple[str, ...] | None = None
    """Words instead of the image's command."""
    entrypoint: tuple[str, ...] | None = None
    """Words instead of the image's entry point."""
    environment: dict[str, str] = Field(default_factory=dict)
    """Variables of the process: `environment` over `env_file`."""
    secrets: tuple[ServiceSecret, ...] = ()
    """Secrets it finds as files."""
    healthcheck: Healthcheck | None = None
    """Check inside the container; None leaves the image's own."""
    depends_on: dict[str, Condition] = Field(default_factory=dict)
    """Services that must be there first, native ones included, and in which state."""
    volumes: tuple[Volume, ...] = ()
    """What is mounted."""
    ports: tuple[Port, ...] = ()
    """Ports of the container that the host offers."""
    expose: tuple[Port, ...] = ()
    """Ports that other services use; never on a host's address."""
    user: str | None = None
    """User, or user:group, of the process."""
    group_add: tuple[str, ...] = ()
    """Further groups of the process."""
    working_dir: str | None = None
    """Directory the process starts in."""
    read_only: bool = False
    """Whether the container's own file system is read-only."""
    init: bool = False
    """Whether an init process reaps children and passes signals on."""
    cap_add: tuple[str, ...] = ()
    """Kernel capabilities added."""
    cap_drop: tuple[str, ...] = ()
    """Kernel capabilities taken away."""
    security_opt: tuple[str, ...] = ()
    """Security options, such as no-new-privileges:true."""
    tmpfs: tuple[str, ...] = ()
    """Paths that are memory, with mount options after a colon."""
    shm_size: Annotated[int, Field(ge=1)] | None = None
    """Bytes of /dev/shm."""
    sysctls: dict[str, str] = Field(default_factory=dict)
    """Kernel parameters of the container."""
    ulimits: dict[str, Ulimit] = Field(default_factory=dict)
    """Limits of the kernel by name."""
    labels: dict[str, str] = Field(default_factory=dict)
    """Labels of the container."""
    extra_hosts: dict[str, str] = Field(default_factory=dict)
    """Names and addresses added to /etc/hosts."""
    dns: tuple[str, ...] = ()
    """Name servers instead of the host's."""
    dns_search: tuple[str, ...] = ()
    """Search domains."""
    hostname: str | None = None
    """Host name inside the container."""
    stop_signal: str | None = None
    """Signal that asks the process to end; None leaves the image's own."""
    stop_grace_period: Annotated[float, Field(ge=0)] = 10.0
    """Seconds between that signal and SIGKILL."""
    restart: Literal["no", "always", "unless-stopped", "on-failure"] = "unless-stopped"
    """What follows when the process ends by itself."""
    restart_attempts: Annotated[int, Field(ge=1)] | None = None
    """How often on-failure tries; None without end."""
    logging: Logging | None = None
    """Where its output goes; None leaves the engine's default."""
    replicas: Annotated[int, Field(ge=0)] | None = 1
    """Containers over all hosts of the group; None where mode is global."""
    mode: Literal["replicated", "global"] = "replicated"
    """replicated: so many as `replicas`; global: one on each host of the group."""
    resources: Resources = Resources()
    """Limits and reservations of each replica."""
    update: UpdateConfig = UpdateConfig()
    """How a release replaces replicas."""
    rollback: UpdateConfig = UpdateConfig()
    """How a rollback replaces them."""
    placement: Placement = Placement()
    """Limits on where replicas run."""
    x: ServiceExtension = ServiceExtension()
    """`x-slipway` of the service."""

    def fingerprint(self) -> str:
        """SHA-256 of everything that decides what one container is.

        How many there are, where, in which order and how they are replaced leave it as it is. Values of secrets, names
        of volumes on the host and the digest of the image are not known here: whoever starts the container adds them.
        """
        decides = self.model_dump(mode="json", exclude=_DECIDES_NOT_WHAT_RUNS)
        if self.x.edge is not None:
            decides["edge"] = [self.x.published_base, self.x.edge.port]
        return hashlib.sha256(json.dumps(decides, sort_keys=True, separators=(",", ":")).encode()).hexdigest()

    @property
    def edge(self) -> Edge | None:
        """How the edge reaches it."""
        return self.x.edge


class NativeRole(Data):
    """A role of the database server, or the user of Redis."""

    name: str
    """Its name."""
    password: SecretRef | None = None
    """Where its password comes from."""


class NativeDatabase(Data):
    """A database of the server."""

    name: str
    """Its name."""
    owner: str
    """Role that owns it."""
    extensions: tuple[str, ...] = ()
    """Extensions to create in it."""


class NativeService(Data):
    """A Postgres, Redis or Nginx service of the file, as data for the native role of its group."""

    name: str
    """Name in the Compose file; applications reach the role's host by it."""
    kind: Literal["postgres", "redis", "nginx"]
    """Which role."""
    image: str
    """Image reference as written."""
    version: str | None = None
    """Version from the image's tag; None where the tag names none."""
    group: str
    """Inventory group whose hosts run it."""
    ports: tuple[Port, ...] = ()
    """Ports as the file publishes them."""
    settings: dict[str, str] = Field(default_factory=dict)
    """Settings of the server from the command line, by their own names."""
    databases: tuple[NativeDatabase, ...] = ()
    """Databases, Postgres only."""
    roles: tuple[NativeRole, ...] = ()
    """Roles, Postgres only."""
    password: SecretRef | None = None
    """Redis: where the password (requirepass) comes from."""
    initdb_args: tuple[str, ...] = ()
    """Postgres: words for initdb."""
    data_directory: str | None = None
    """Path of the host the file keeps the data in; None leaves the role's own."""
    resources: Resources = Resources()
    """Limits and reservations as written."""

    @property
    def port(self) -> int | None:
        """Port of the host that reaches it; None where the file publishes none."""
        return next((port.published for port in self.ports if port.published), None)


class Stack(Data):
    """A whole Compose file."""

    name: str
    """Project name: `name:`, or the directory's."""
    directory: Path
    """Directory of the file, absolute; relative paths start here."""
    services: tuple[Service, ...] = ()
    """Application services, each after those it depends on, otherwise as in the file."""
    secrets: dict[str, SecretRef] = Field(default_factory=dict)
    """Secrets by their key."""
    volumes: dict[str, str] = Field(default_factory=dict)
    """Named volumes: key and the name Docker knows them by."""
    native: dict[str, NativeService] = Field(default_factory=dict)
    """Services that native roles provide, by their name in the file."""
    migration: Migration | None = None
    """What runs once for each release, before any service."""
    rollout: Rollout = Rollout()
    """How a release goes through the hosts."""
    canary: CanarySettings | None = None
    """The share of sessions that a new release gets first; None: it gets all of them."""
    release: ReleaseSettings = ReleaseSettings()
    """How releases are kept."""
    notes: tuple[str, ...] = ()
    """What was accepted and yet the operator should know, each with file and line."""

    def service(self, name: str) -> Service:
        """The application service of that name. Raises KeyError naming the nearest."""
        for service in self.services:
            if service.name == name:
                return service
        raise KeyError(f"no application service {name!r}: {did_you_mean(name, [each.name for each in self.services])}")

    @property
    def web(self) -> tuple[Service, ...]:
        """Services that the edge reaches."""
        return tuple(service for service in self.services if service.x.edge is not None)
