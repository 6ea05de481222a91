"""The tree of files that an edge runs on, rendered from its data."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from roles.nginx.certificates import certificate_files, certificate_paths
from roles.nginx.data import Nginx, RateLimit, Route, Site
from slipway.context import Context
from slipway.fleet import Machine
from slipway.ops.tree import HERE, TreeFile
from slipway.paths import project_root
from slipway.render import render

HTTP2_BY_LISTEN = {("debian", "12"), ("ubuntu", "22.04"), ("ubuntu", "24.04")}
"""Releases with an nginx before 1.25.1, which knows HTTP/2 as a word of `listen` only; later ones warn of that word."""


@dataclass(frozen=True)
class Zone:
    """A rate limit's memory of clients."""

    name: str
    rate: str
    burst: int


@dataclass(frozen=True)
class Place:
    """One `location` of a site."""

    location: str
    number: int
    """Of the route, counted from 1."""
    rewrite: str
    """Pattern whose first group is what is left of the path; empty where nothing is taken off."""


def tree_files(data: Nginx, ctx: Context) -> dict[str, TreeFile]:
    """Every file of the edge's tree, by its path in it. Raises BadInput where a certificate cannot be read."""
    files = {
        "edge.conf": TreeFile(_edge(data, ctx.machine)),
        "upstreams.json": TreeFile(_upstreams(data)),
        **{f"snippets/{name}.conf": TreeFile(text) for name, text in data.snippets.items()},
        **{f"lua/slipway/{path.name}": TreeFile(path.read_text(encoding="utf-8")) for path in _lua_modules()},
        **certificate_files(data, ctx),
    }
    for site in data.all_sites:
        files |= _site_files(data, site, ctx.machine)
    return files


def _lua_modules() -> Iterator[Path]:
    yield from sorted((project_root() / "templates/nginx/lua/slipway").glob("*.lua"))


def _shared(data: Nginx, machine: Machine) -> dict[str, Any]:
    """What the templates of the edge and of a site both need."""
    by_listen = (machine.distribution, machine.version) in HTTP2_BY_LISTEN
    return {
        "data": data,
        "here": HERE,
        "addresses": [f"[{address}]" if ":" in address else address for address in data.listen],
        "tls_listen": "ssl http2" if data.http2 and by_listen else "ssl",
        "http2_directive": data.http2 and not by_listen,
    }


def _edge(data: Nginx, machine: Machine) -> str:
    return render(
        "nginx/edge.conf.j2",
        **_shared(data, machine),
        worker_processes=data.worker_processes or machine.cpus,
        headers=[_header(name, value) for name, value in data.security_headers.items()],
        rate_zones=[zone for site in data.all_sites for zone in _zones(site) if zone],
    )


def _header(name: str, value: str) -> dict[str, str]:
    variable = name.lower().replace("-", "_")
    return {"name": name, "value": quoted(value), "variable": variable, "ours": f"slipway_header_{variable}"}


def quoted(text: str) -> str:
    """As one word of nginx's configuration. A dollar sign still starts a variable: data that may go here has none."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _upstreams(data: Nginx) -> str:
    """What the balancer reads: peers, who decides over them, and how it goes on where one fails."""
    told = {
        name: {
            "balance": upstream.balance,
            "admission": name in data.upstreams,
            "peers": [peer.model_dump(exclude_none=True) for peer in upstream.peers],
            "probe_path": upstream.probe_path,
            "probe_host": upstream.probe_host,
            "tries": data.tries,
            "fail_seconds": data.fail_seconds,
            "hold_seconds": data.hold_seconds,
        }
        for name, upstream in data.all_upstreams.items()
    }
    return json.dumps(told, indent=2, sort_keys=True) + "\n"


def _zones(site: Site) -> list[Zone | None]:
    """The rate limit's zone of each route, None for a route without one."""
    return [_zone(f"{site.name}-{n}", route.rate_limit) for n, route in enumerate(site.routes, 1)]


def _zone(name: str, limit: RateLimit | None) -> Zone | None:
    if limit is None:
        return None
    return Zone(name, f"{limit.requests}r/{'s' if limit.per == 'second' else 'm'}", limit.burst)


def _site_files(data: Nginx, site: Site, machine: Machine) -> dict[str, TreeFile]:
    certificate, key = certificate_paths(data, site)
    text = render(
        "nginx/site.conf.j2",
        **_shared(data, machine),
        site=site,
        certificate=certificate,
        key=key,
        places=[place for n, route in enumerate(site.routes, 1) for place in _places(n, route)],
        has_root=any(route.path == "/" for route in site.routes) or "location / " in site.snippet,
    )
    files = {f"sites/{site.name}.conf": TreeFile(text)}
    if site.snippet:
        files[f"sites/{site.name}.snippet"] = TreeFile(site.snippet + "\n")
    for n, (route, zone) in enumerate(zip(site.routes, _zones(site), strict=True), 1):
        files[f"routes/{site.name}-{n}.conf"] = TreeFile(render("nginx/route.conf.j2", route=route, zone=zone))
    return files


def _places(number: int, route: Route) -> list[Place]:
    """A path and what lies under it: /api and /api/..., but not /apiary."""
    bare = route.path.rstrip("/")
    rewrite = f"(?s)^{re.escape(bare)}/?(.*)$" if route.strip_prefix and bare else ""
    exact = [] if route.path.endswith("/") else [Place(f"= {bare}", number, rewrite)]
    return [*exact, Place(f"{bare}/", number, rewrite)]
