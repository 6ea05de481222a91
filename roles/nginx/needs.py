"""What a host has to have to be an edge."""

from __future__ import annotations

from collections.abc import Iterator

from roles.nginx.certificates import certificate_files
from roles.nginx.data import Nginx
from roles.nginx.tasks import PACKAGES
from slipway.context import Context
from slipway.needs import Certificate, Needs, Packages, Port, Room
from slipway.ops.files import as_bytes
from slipway.secrets import Secret

UNITS = ("nginx.service",)


def needs(data: Nginx, ctx: Context) -> Needs:
    """Its ports, its packages, room for logs, and certificates that are good. Raises BadInput for unreadable ones."""
    return Needs(
        ports=tuple(_ports(data)),
        rooms=(Room("/var/log/nginx", 50, "nginx's logs", 50),),
        packages=(Packages(PACKAGES, "nginx", 100, 1000),),
        certificates=tuple(_certificates(data, ctx)),
    )


def _ports(data: Nginx) -> Iterator[Port]:
    for address in data.listen:
        yield Port(address, data.http_port, "nginx", UNITS)
        if data.https_port:
            yield Port(address, data.https_port, "nginx", UNITS)
    if data.status_port:
        yield Port("127.0.0.1", data.status_port, "nginx's status", UNITS)


def _certificates(data: Nginx, ctx: Context) -> Iterator[Certificate]:
    """Those that are given; what a host signs itself it renews by itself."""
    files = certificate_files(data, ctx)
    for site in data.all_sites if data.https_port else ():
        given = data.certificate_for(site)
        if given is None:
            continue
        if given.host_certificate:
            yield Certificate(given.host_certificate, tuple(site.hosts))
        else:
            chain, key = files[f"tls/{site.name}.crt"].content, files[f"tls/{site.name}.key"].content
            private = key if isinstance(key, Secret) else None
            yield Certificate(given.certificate, tuple(site.hosts), as_bytes(chain).decode(), private)
