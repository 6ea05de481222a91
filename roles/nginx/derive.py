"""What of an edge follows from the Compose file and the fleet: where requests go."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from slipway.compose import host_port
from slipway.context import Context
from slipway.spread import replicas_on

if TYPE_CHECKING:
    from slipway.compose import Service
    from slipway.compose.extension import Edge
    from slipway.fleet import Fleet


def derive(ctx: Context) -> Mapping[str, Any]:
    """Listens on the private address; one upstream for each service with an edge, one site for each set of routes."""
    web = ctx.stack.web if ctx.stack else ()
    return {
        "listen": [ctx.host.address],
        "upstreams": {service.name: _upstream(service, ctx.fleet) for service in web},
        "sites": _sites(web),
    }


def _upstream(service: Service, fleet: Fleet) -> dict[str, Any]:
    members = fleet.group(service.x.group)
    replicas = replicas_on(service, members)
    peers = [
        {"host": member.address, "port": host_port(service, index), "second_port": host_port(service, index, 1)}
        for member in members
        for index in range(replicas[member.name])
    ]
    return {"peers": peers, "balance": _edge(service).balance, **_probe(service)}


def _probe(service: Service) -> dict[str, str]:
    """What the edge asks a peer before it sends it requests: its readiness, where that is told on the edge's port."""
    ready, edge = service.x.ready, _edge(service)
    if ready is None or ready.port != edge.port:
        return {}
    plain = (name for name in edge.hosts if not name.startswith("*"))
    return {"probe_path": ready.path, "probe_host": next(plain, "")}


def _sites(web: tuple[Service, ...]) -> list[dict[str, Any]]:
    """Names that have the same routes are one site, called by the first of them."""
    routes: dict[str, list[dict[str, Any]]] = {}
    for service in web:
        for name in _edge(service).hosts:
            routes.setdefault(name, []).extend(_routes(service))
    sites: list[dict[str, Any]] = []
    for name, its_routes in routes.items():
        same = next((site for site in sites if site["routes"] == its_routes), None)
        if same:
            same["hosts"].append(name)
        else:
            sites.append({"name": name.replace("*", "_").lower(), "hosts": [name], "routes": its_routes})
    return sites


def _routes(service: Service) -> list[dict[str, Any]]:
    edge = _edge(service)
    limit = edge.rate_limit
    shared = {
        "upstream": service.name,
        "websocket": edge.websocket,
        # nginx counts in whole seconds here; a shorter time than asked for would cut answers.
        "read_timeout": math.ceil(edge.read_timeout),
        "rate_limit": limit.model_dump() if limit else None,
        "max_body": edge.max_body,
        "strip_prefix": edge.strip_prefix,
    }
    return [{"path": path, **shared} for path in edge.paths]


def _edge(service: Service) -> Edge:
    assert service.edge is not None, "only services with an edge are asked for"  # noqa: S101 - narrows the type
    return service.edge
