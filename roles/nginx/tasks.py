"""Brings an edge there: packages, the control of its traffic, certificates, and the tree of its configuration."""

from __future__ import annotations

from roles.nginx.certificates import SELF_SIGNED, self_signed_sites
from roles.nginx.configuration import tree_files
from roles.nginx.data import Nginx
from roles.nginx.self_signed import self_signed
from roles.nginx.takeover import taken_over
from slipway.context import Context
from slipway.ops import files, packages, tree, units
from slipway.ops.tree import HERE
from slipway.render import render

PACKAGES = ("nginx", "libnginx-mod-http-lua", "lua-cjson", "curl", "openssl")
TREE = "/etc/nginx/slipway"
MAIN = "/etc/nginx/nginx.conf"
RELOAD = ("reload:nginx",)


def tasks(data: Nginx, ctx: Context) -> None:
    packages.installed(name="Install nginx and its Lua module", names=PACKAGES, start=False)
    _control(data)
    _certificates(data)
    tree.staged(
        name="Stage the configuration of the edge",
        root=TREE,
        files=tree_files(data, ctx),
        check=("nginx", "-t", "-q", "-c", f"{HERE}/edge.conf"),
        owes=RELOAD,
    )
    taken_over(name="Take nginx over", path=MAIN, ours=f"include {TREE}/current/")
    files.put(
        name="Write nginx.conf",
        path=MAIN,
        content=render("nginx/nginx.conf.j2"),
        check=("nginx", "-t", "-q", "-c", files.CANDIDATE),
        owes=RELOAD,
    )
    units.settle(name="Restart nginx", unit="nginx", action="restart", in_service=True)
    units.unit(name="Run nginx", unit="nginx")
    units.settle(name="Reload nginx", unit="nginx", action="reload", in_service=True)


def _control(data: Nginx) -> None:
    """Who gets requests is changed at run time: its command, its socket's directory, its memory over restarts."""
    files.put(
        name="Write slipway-edge",
        path="/usr/local/sbin/slipway-edge",
        content=render("nginx/slipway-edge.j2"),
        mode="755",
    )
    units.drop_in(
        name="Write the drop-in of nginx.service",
        unit="nginx",
        content=render("nginx/nginx.service.d.conf.j2", data=data),
    )
    # The unit makes this directory too, but the first test of the configuration comes before its first start.
    files.directory(name="Make the directory of the control socket", path="/run/slipway-edge", mode="700")
    files.directory(
        name="Make the directory of drains",
        path="/var/lib/slipway-edge",
        mode="700",
        owner="www-data",
        group="www-data",
    )


def _certificates(data: Nginx) -> None:
    if data.acme_webroot:
        files.directory(name="Make the directory of ACME challenges", path=data.acme_webroot)
    for site in self_signed_sites(data):
        self_signed(
            name="Sign a certificate", path=f"{SELF_SIGNED}/{site.name}.pem", hosts=site.hosts, owes=RELOAD
        )  # fmt: skip
