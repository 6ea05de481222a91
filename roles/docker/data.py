"""Data of the docker role."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from slipway.addresses import Address, Network, interface_of
from slipway.facts.packages import PACKAGE_NAME
from slipway.role import RoleData

Registry = Annotated[str, Field(pattern=r"^[A-Za-z0-9.-]+(:[0-9]{1,5})?$|^[0-9.]+/[0-9]{1,2}$")]
Size = Annotated[str, Field(pattern=r"^[1-9][0-9]*[kmg]$")]
UserName = Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_-]{0,31}$")]
Url = Annotated[str, Field(pattern=r"^https?://[A-Za-z0-9.:_/-]+$")]

REFUSED = {
    "hosts": "the engine listens on its own socket only: whoever reaches a TCP port of it is root there",
    "tls": "there is no TCP socket to protect",
    "tlsverify": "there is no TCP socket to protect",
    "pidfile": "systemd's unit says it",
}
"""Options of daemon.json that have no place here, and why."""


class AddressPool(RoleData):
    """Addresses that Docker takes networks from."""

    base: Network
    """Network in CIDR form; it must not overlap the fleet's own."""
    size: Annotated[int, Field(ge=8, le=30)] = 24
    """Prefix length of each network taken from it."""

    @model_validator(mode="after")
    def _size_fits(self) -> Self:
        network = ipaddress.ip_network(self.base)
        if self.size < network.prefixlen:
            raise ValueError(f"networks of size /{self.size} do not fit into {self.base}")
        return self


class Prune(RoleData):
    """What is cleared away when nothing needs it any more: images of dropped releases, stopped containers."""

    enabled: bool = True
    """Whether the timer runs."""
    schedule: Annotated[str, Field(pattern=r"^[A-Za-z0-9*:/,. ~-]+$")] = "daily"
    """When, as systemd's OnCalendar has it."""
    random_delay: Annotated[str, Field(pattern=r"^[0-9]+(s|min|h)$")] = "1h"
    """Spreads the hosts of a fleet over this time."""
    unneeded_hours: Annotated[int, Field(ge=0, le=8760)] = 48
    """How long something must have been without use before it goes: so long may a release be on its way here."""


class Docker(RoleData):
    """The Docker engine of a host."""

    repository: Literal["distribution", "docker"] = "distribution"
    """Whose packages: the distribution's docker.io, or docker-ce from Docker's own repository."""
    repository_url: Url = "https://download.docker.com/linux"
    """Docker's repository, or a mirror of it; the distribution's name is added."""
    repository_channel: Literal["stable", "test"] = "stable"
    """Channel of that repository."""
    repository_key: str | None = None
    """The repository's public key, armoured; packages signed by any other are refused."""
    version: Annotated[str, Field(pattern=r"^[A-Za-z0-9.+:~*-]+$")] | None = None
    """Version pattern such as `26.1*` (Docker's own packages: `5:27.3*`); None takes what the repository has when it is
    installed, and moves it no further."""
    hold: bool = True
    """Whether upgrades leave the engine alone: a restart of it is a rollout's to order."""
    extra_packages: list[Annotated[str, Field(pattern=PACKAGE_NAME)]] = []
    """Installed besides, as docker-compose-plugin."""
    users: list[UserName] = []
    """Members of the group docker, and no others. Each of them is root on the host."""

    log_driver: Literal["local", "json-file", "journald", "syslog", "none"] = "local"
    """Where containers' output goes. `local` is compressed; other programs can read `json-file`."""
    log_max_size: Size = "20m"
    """Size at which a container's log is rotated (local and json-file)."""
    log_max_file: Annotated[int, Field(ge=1, le=1000)] = 5
    """Files kept of each container's log."""
    log_opts: dict[str, str] = {}
    """More options of the log driver."""
    log_level: Literal["debug", "info", "warn", "error", "fatal"] = "info"
    """What the engine itself logs."""
    live_restore: bool = True
    """Whether containers run on while the engine restarts."""
    registry_mirrors: list[Url] = []
    """Mirrors asked before Docker Hub."""
    insecure_registries: list[Registry] = []
    """Registries reached without TLS or with certificates that nobody vouches for."""
    default_address_pools: list[AddressPool] = []
    """Where networks of containers get their addresses; Docker's own choice where empty."""
    bip: str | None = None
    """Address and prefix of the default bridge."""
    mtu: Annotated[int, Field(ge=576, le=9216)] | None = None
    """MTU of container networks, where the hosts' own network has a smaller one."""
    dns: list[Address] = []
    """Name servers of containers; those of the host where empty."""
    dns_search: list[Annotated[str, Field(pattern=r"^[A-Za-z0-9.-]+$")]] = []
    """Search domains of containers."""
    storage_driver: Literal["overlay2", "btrfs", "zfs", "vfs", "fuse-overlayfs"] | None = None
    """The engine's own choice where it is None. Another one hides every image and container there is."""
    data_root: Annotated[str, Field(pattern=r"^(/[A-Za-z0-9._-]+)+$")] | None = None
    """Where it keeps everything; /var/lib/docker where it is None."""
    metrics_addr: Annotated[str, Field(pattern=r"^[0-9a-f.:\[\]]+:[0-9]{1,5}$")] | None = None
    """Address and port of the engine's metrics for Prometheus: the private address, never all."""
    max_concurrent_downloads: Annotated[int, Field(ge=1, le=100)] | None = None
    """Layers pulled at a time; the engine's own 3 where it is None."""
    max_concurrent_uploads: Annotated[int, Field(ge=1, le=100)] | None = None
    """Layers pushed at a time; the engine's own 5 where it is None."""
    labels: list[Annotated[str, Field(pattern=r"^[A-Za-z0-9._/-]+=[^\n\x00]*$")]] = []
    """Labels of the engine, as key=value."""
    userland_proxy: bool | None = None
    """Whether published ports have a proxy process each; the engine's own choice where it is None."""
    icc: bool | None = None
    """Whether containers of the default bridge reach each other."""
    no_new_privileges: bool = False
    """Whether no container's process can gain rights by a set-user-id program."""
    default_ulimits: dict[Annotated[str, Field(pattern=r"^[a-z]+$")], Annotated[int, Field(ge=-1)]] = {}
    """Limits of every container's processes, as nofile; soft and hard alike."""
    daemon_options: dict[str, Any] = {}
    """Anything else of daemon.json, by its own names; wins over what is above."""
    prune: Prune = Prune()
    """What is cleared away, and when."""

    @field_validator("bip")
    @classmethod
    def _is_an_interface(cls, text: str | None) -> str | None:
        return text if text is None else interface_of(text)

    @field_validator("metrics_addr")
    @classmethod
    def _is_not_everywhere(cls, text: str | None) -> str | None:
        if text and text.rpartition(":")[0] in ("0.0.0.0", "[::]"):  # noqa: S104 - this is what refuses it
            raise ValueError("metrics would be there for everybody; name the private address")
        return text

    @field_validator("daemon_options")
    @classmethod
    def _have_a_place(cls, options: dict[str, Any]) -> dict[str, Any]:
        for key in options:
            if key in REFUSED:
                raise ValueError(f"{key!r} cannot be set: {REFUSED[key]}")
            if not re.fullmatch(r"[a-z][a-z0-9-]*", key):
                raise ValueError(f"{key!r} is no option of daemon.json (small letters and -)")
        return options

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        if self.repository == "docker" and "BEGIN PGP PUBLIC KEY BLOCK" not in (self.repository_key or ""):
            raise ValueError(
                "repository 'docker' needs repository_key, the armoured public key of it "
                "(from <repository_url>/debian/gpg; compare its fingerprint with what docs.docker.com says)"
            )
        return self
