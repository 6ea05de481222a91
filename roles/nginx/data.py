"""What an edge can be told: sites, upstreams, certificates, and how nginx itself runs."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from slipway.addresses import Address, Network
from slipway.problems import did_you_mean
from slipway.role import RoleData

Port = Annotated[int, Field(ge=1, le=65535)]
Seconds = Annotated[int, Field(ge=1, le=30 * 86400)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}$")]
HostName = Annotated[str, Field(pattern=r"^(\*\.)?[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$")]
# Every character that nginx gives a meaning of its own in a location ({};"' $ \ # space) is left out.
UrlPath = Annotated[str, Field(pattern=r"^/[A-Za-z0-9._~/@:+,=&-]*$")]
# One line of a request: no space, nothing that is not printed.
ProbePath = Annotated[str, Field(pattern=r"^(/[\x21-\x7e]*)?$")]
HostPath = Annotated[str, Field(pattern=r"^/[A-Za-z0-9._/@+-]+$")]
HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9-]*$")]
# nginx has no way to write a dollar sign in a value that may hold variables.
HeaderValue = Annotated[str, Field(pattern=r"^[\x20-\x23\x25-\x7e]+$")]


Balance = Literal["round_robin", "least_conn", "sticky_cookie", "sticky_address"]


class Peer(RoleData):
    """One address that requests go to."""

    host: Address
    """IP address of the host; a drain of that address takes out all of its peers."""
    port: Port
    """Port on that host."""
    second_port: Port | None = None
    """The replica's other port, where its successor comes up; None where it has one port only."""


class Upstream(RoleData):
    """Peers that share the requests of a service."""

    peers: list[Peer] = []
    """Where requests go; with none the edge answers 503. Of an application's services a rollout says at run time which
    of these get them; until then the edge tries the first ports, and second ones where those refuse."""
    balance: Balance = "round_robin"
    """Which peer gets a request: in turn, the least busy one, or the session's own by cookie or client address."""
    probe_path: ProbePath = ""
    """Path that a peer answers below 500 before a rollout lets it have requests; empty asks for a connection only."""
    probe_host: Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]*$")] = ""
    """Server name that the probe asks for; empty is the peer's address."""


class RateLimit(RoleData):
    """How many requests one client address may make; more are answered 429."""

    requests: Annotated[int, Field(ge=1)]
    """Requests in each period."""
    per: Literal["second", "minute"] = "second"
    """The period."""
    burst: Annotated[int, Field(ge=0)] = 0
    """Requests above the rate that are still answered at once."""


class Route(RoleData):
    """What of a site goes to which upstream."""

    path: UrlPath = "/"
    """Prefix of the path; the longest one that fits has the request."""
    upstream: Name
    """Name of the upstream."""
    websocket: bool = False
    """Whether connections may be upgraded."""
    read_timeout: Seconds = 60
    """Seconds without an answer, or without a WebSocket message, after which the edge gives up."""
    rate_limit: RateLimit | None = None
    """Requests allowed for each client address; None is no limit."""
    max_body: Annotated[int, Field(ge=0)] | None = None
    """Largest request body in bytes; 0 is no limit; None takes the edge's."""
    strip_prefix: bool = False
    """Whether the path prefix is taken off before the request goes on."""
    buffering: bool = True
    """Whether an answer is read in full before a slow client has it; False for streams of events."""


class Site(RoleData):
    """The names that share a set of routes."""

    name: Name
    """Name of its file and in logs."""
    hosts: Annotated[list[HostName], Field(min_length=1)]
    """Server names; `*.example.com` takes every name under it."""
    routes: list[Route] = []
    """What goes where."""
    snippet: str = ""
    """Further nginx configuration for the server block, verbatim; `nginx -t` judges it before it goes live."""


class Certificate(RoleData):
    """A certificate and its key: both from the controller, or both already on the host."""

    hosts: Annotated[list[HostName], Field(min_length=1)]
    """Sites' names it is for; `*.example.com` covers one level."""
    certificate: str = ""
    """Path of the chain (PEM, own certificate first) on the controller, relative to the project."""
    key_secret: str = ""
    """Name of the secret that holds the private key (PEM)."""
    key_file: str = ""
    """Path of the private key on the controller, instead of `key_secret`."""
    host_certificate: HostPath | None = None
    """Path of the chain on the host, where something there (an ACME client) provides it."""
    host_key: HostPath | None = None
    """Path of the private key on the host, beside `host_certificate`."""

    @model_validator(mode="after")
    def _has_one_source(self) -> Certificate:
        on_controller = bool(self.certificate) and (bool(self.key_secret) != bool(self.key_file))
        on_host = bool(self.host_certificate and self.host_key)
        if on_controller == on_host:
            raise ValueError(
                "give `certificate` with one of `key_secret` and `key_file`, or `host_certificate` with `host_key`"
            )
        return self

    def covers(self, host: str) -> bool:
        """Whether it is for this name, the way browsers read a wildcard: one label, not more."""
        return any(
            name == host or (name.startswith("*.") and host.partition(".")[2] == name[2:]) for name in self.hosts
        )


class Nginx(RoleData):
    """The edge: what it listens on, what it serves, and how."""

    listen: Annotated[list[Address], Field(min_length=1)]
    """Addresses it listens on; the host's private address unless given."""
    http_port: Port = 80
    """Port for plain HTTP."""
    https_port: Port | None = 443
    """Port for TLS; None serves plain HTTP only."""
    https_redirect: bool = True
    """Whether plain HTTP is answered with a redirect to TLS (308, which keeps method and body)."""
    http2: bool = True
    """Whether TLS connections may speak HTTP/2."""
    hsts_seconds: Annotated[int, Field(ge=0)] = 0
    """How long browsers insist on TLS; 0 sends no such header. Hard to take back: start with a short time."""

    upstreams: dict[Name, Upstream] = {}
    """Upstreams of the application, from its Compose file."""
    sites: list[Site] = []
    """Sites of the application, from its Compose file."""
    extra_upstreams: dict[Name, Upstream] = {}
    """Upstreams by hand, beside those of the application."""
    extra_sites: list[Site] = []
    """Sites by hand, beside those of the application."""
    snippets: dict[Name, str] = {}
    """Further nginx configuration at the level of http, by name, verbatim; `nginx -t` judges it before it goes live."""

    certificates: list[Certificate] = []
    """Certificates by site name; the first that covers all names of a site is taken."""
    self_signed: bool = True
    """Whether a site without a certificate gets one that its host signs itself; False refuses such a site."""
    acme_webroot: HostPath | None = "/var/lib/slipway-acme"
    """Directory whose files answer /.well-known/acme-challenge/ over plain HTTP; None answers none."""

    security_headers: dict[HeaderName, HeaderValue] = {
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "SAMEORIGIN",
        "Referrer-Policy": "strict-origin-when-cross-origin",
    }
    """Headers of every answer; where the application sends one of them itself, its own stands."""
    trusted_proxies: list[Network] = []
    """Networks of proxies in front whose X-Forwarded-For and X-Forwarded-Proto are believed."""
    max_body: Annotated[int, Field(ge=0)] = 10 * 1024 * 1024
    """Largest request body in bytes where a route says nothing; 0 is no limit."""
    compress: bool = True
    """Whether texts are compressed for clients that can take it."""
    log_query: bool = False
    """Whether the access log holds query strings, which at times hold tokens."""
    status_port: Port | None = 8099
    """Port on 127.0.0.1 with nginx's own counters at /stub_status, for an exporter; None serves none."""

    connect_seconds: Seconds = 2
    """How long a peer may take to accept a connection before the next one is tried."""
    fail_seconds: Seconds = 3
    """How long a peer that could not be connected to is left alone while others are well."""
    tries: Annotated[int, Field(ge=1, le=10)] = 3
    """Peers that one request is tried at; of an application's services those that refuse the connection do not count.
    A request that may have been acted on (POST, PATCH) is never sent twice."""
    hold_seconds: Annotated[int, Field(ge=0, le=300)] = 10
    """How long a request waits where every peer is drained, before it is answered 503."""
    upstream_keepalive: Annotated[int, Field(ge=1)] = 64
    """Idle connections to peers that each worker keeps open."""
    upstream_idle_seconds: Seconds = 4
    """How long an idle connection to a peer is kept. Less than the application keeps it (uvicorn, Node.js: 5), or a
    request meets a connection that is just being closed."""
    keepalive_seconds: Seconds = 65
    """How long an idle connection of a client is kept."""
    drain_seconds: Annotated[int, Field(ge=0, le=3600)] = 30
    """How long old workers may finish requests and WebSockets after a reload or at a stop."""
    close_seconds: Annotated[int, Field(ge=0, le=300)] = 10
    """How long a reload waits at most while every answer says `Connection: close`; 0 reloads at once."""
    worker_processes: Annotated[int, Field(ge=1)] | None = None
    """Worker processes; None is one for each processor."""
    worker_connections: Annotated[int, Field(ge=64)] = 4096
    """Connections of each worker, to clients and peers together."""

    @property
    def all_upstreams(self) -> dict[str, Upstream]:
        return {**self.upstreams, **self.extra_upstreams}

    @property
    def all_sites(self) -> list[Site]:
        return [*self.sites, *self.extra_sites]

    def certificate_for(self, site: Site) -> Certificate | None:
        """The first certificate that covers every name of the site; None leaves it to a self-signed one."""
        return next((each for each in self.certificates if all(map(each.covers, site.hosts))), None)

    @model_validator(mode="after")
    def _routes_lead_somewhere(self) -> Nginx:
        for site in self.all_sites:
            for route in site.routes:
                if route.upstream not in self.all_upstreams:
                    hint = did_you_mean(route.upstream, self.all_upstreams)
                    raise ValueError(f"site {site.name}: no upstream is called {route.upstream!r}; {hint}")
        return self

    @model_validator(mode="after")
    def _names_are_given_once(self) -> Nginx:
        for name in self.upstreams.keys() & self.extra_upstreams.keys():
            raise ValueError(f"upstream {name} is the application's; give the one in extra_upstreams another name")
        _refuse_twice("site", [site.name for site in self.all_sites])
        _refuse_twice("server name", [host for site in self.all_sites for host in site.hosts])
        for site in self.all_sites:
            # /api and /api/ both have what lies under them.
            _refuse_twice(f"site {site.name}: path", [route.path.rstrip("/") or "/" for route in site.routes])
        return self

    @model_validator(mode="after")
    def _every_site_has_its_certificate(self) -> Nginx:
        for site in self.all_sites:
            if self.https_port and not self.self_signed and self.certificate_for(site) is None:
                raise ValueError(
                    f"no certificate covers {', '.join(site.hosts)}: add it to `certificates`, or set self_signed"
                )
        return self


def _refuse_twice(what: str, names: list[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{what} {', '.join(twice)} is given twice; keep one")
