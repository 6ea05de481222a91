"""What Compose has no word for: `x-slipway` of a service and of the stack."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from slipway.compose.parts import Data, PortNumber


class RateLimit(Data):
    """How many requests one client address may make."""

    requests: Annotated[int, Field(ge=1)]
    """Requests in each period."""
    per: Literal["second", "minute"] = "second"
    """The period."""
    burst: Annotated[int, Field(ge=0)] = 0
    """Requests above the rate that are still answered at once."""


class Edge(Data):
    """How the edge (Nginx) reaches a service."""

    hosts: Annotated[tuple[str, ...], Field(min_length=1)]
    """Server names it answers to, such as app.example.com or *.example.com."""
    port: PortNumber
    """Port of the container that requests go to."""
    paths: Annotated[tuple[str, ...], Field(min_length=1)] = ("/",)
    """Path prefixes it answers to."""
    websocket: bool = False
    """Whether connections may be upgraded to WebSocket."""
    balance: Literal["round_robin", "least_conn", "sticky_cookie", "sticky_address"] = "round_robin"
    """Which replica gets a request."""
    read_timeout: Annotated[float, Field(gt=0)] = 60.0
    """Seconds without an answer, or without a WebSocket message, after which the edge gives up."""
    rate_limit: RateLimit | None = None
    """Requests allowed for each client address; None is no limit."""
    max_body: Annotated[int, Field(ge=0)] = 1024 * 1024
    """Largest request body in bytes; 0 is no limit."""
    strip_prefix: bool = False
    """Whether the path prefix is taken off before the request goes on."""


class Ready(Data):
    """How a replica says that it can serve."""

    path: str
    """HTTP path that answers 200 when it can."""
    port: PortNumber
    """Port of the container; the edge's port where it is not given."""
    timeout_seconds: Annotated[float, Field(gt=0)] = 60.0
    """Progress deadline: a replica not ready after so long has failed."""


class ServiceExtension(Data):
    """`x-slipway` of a service."""

    group: str = "workers"
    """Inventory group whose hosts run it."""
    edge: Edge | None = None
    """How the edge reaches it; None for a service that nobody calls from outside."""
    ready: Ready | None = None
    """Readiness over HTTP; None means HEALTHCHECK, or else staying up for the monitor time."""
    singleton: bool = False
    """Whether it must never run twice, not for a moment."""
    drain_seconds: Annotated[float, Field(ge=0)] = 30.0
    """How long open requests may finish after the edge has taken a replica out."""
    timeout_seconds: Annotated[float, Field(ge=0)] | None = None
    """The application's own longest request or job; stop_grace_period may not be shorter."""
    published_base: Annotated[int, Field(ge=1024, le=65526)] | None = None
    """First of the ten host ports of this service; derived from its name where not given."""
    allow_docker_socket: bool = False
    """Whether it may have /var/run/docker.sock, which is root on its host."""
    native: bool = True
    """False runs a Postgres, Redis or Nginx image as a container instead of the native role."""
    extensions: tuple[str, ...] = ()
    """Postgres extensions to create, native Postgres only."""


class Migration(Data):
    """`x-slipway.migrate` of the stack: run once for each release, before any service."""

    service: str
    """Service whose image, environment and secrets it runs with."""
    command: Annotated[tuple[str, ...], Field(min_length=1)]
    """Words of the command."""
    timeout_seconds: Annotated[float, Field(gt=0)] = 600.0
    """After which it is stopped and has failed."""
    check: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    """Command that says by exit code 0 that nothing is left to migrate."""
    revision: str | None = None
    """Name of the schema's revision that this release brings; a rollback is decided by it."""
    runs_on: tuple[str, ...] = ()
    """Further revisions that this release's code can run on; `*` stands for anything, as in 2026-*."""
    still_runs: tuple[str, ...] = ()
    """Older revisions whose releases still run on the schema that this one brings; `*` as above."""


class ReleaseSettings(Data):
    """The rest of `x-slipway` of the stack."""

    keep_releases: Annotated[int, Field(ge=1, le=100)] = 5
    """Releases kept on each host for a rollback, the running one included."""


class Rollout(Data):
    """`x-slipway.rollout` of the stack: how a release goes through the hosts. Durations in seconds."""

    first_host: bool = False
    """Whether the first host goes alone and the rest wait."""
    promote_after: Annotated[float, Field(ge=0)] | None = None
    """When the rest follow a first host that went well; where not given they wait for `slipway resume`."""
    progress_deadline: Annotated[float, Field(gt=0)] = 600.0
    """How long one batch may take before it has failed."""
    min_healthy: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Share of a service's replicas that must be healthy elsewhere in the fleet before a batch takes some away; of
    several replicas never less than one."""
    moved_hosts: Literal["stay", "go_back"] | None = None
    """stay, or go_back: what becomes of hosts that had moved when a roll fails; where not given, go_back if the
    failure_action of any service is rollback."""
    unreachable: Literal["refuse", "continue"] = "refuse"
    """refuse, or continue: what a roll does while one of its hosts does not answer. With continue that host converges
    when it is back."""


class CanarySettings(Data):
    """`x-slipway.canary` of the stack: a new release first gets a share of sessions, of services with an edge."""

    weight: Annotated[int, Field(ge=0, le=100)]
    """Percent of the sessions that the new release gets at first."""
    by: Literal["cookie", "header", "address"] = "cookie"
    """What makes requests one session: the edge's own cookie, a header's value, or the client's address."""
    header: str | None = None
    """Name of the header, with by: header."""
