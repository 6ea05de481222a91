"""What differs in the lab: its secrets and certificate, this machine's name server."""

from os.path import relpath

from slipway.lab import upstream_dns
from slipway.lab.hosts import hosts_of
from slipway.lab.layout import layout
from slipway.paths import project_root

x_lab = layout()
# Relative, as any project's: the same release has the same id in every checkout.
x_tls = relpath(x_lab.tls, project_root())

secrets = f"file:{x_lab.secrets}"

# Inside a container host resolv.conf names only 127.0.0.11, which containers in it cannot reach.
docker = {"dns": upstream_dns()}

nginx = {
    # The lab's certificate is its own authority's: a browser that has not been told of it may use plain HTTP.
    "https_redirect": False,
    "certificates": [
        {"hosts": ["demo.lab.test"], "certificate": f"{x_tls}/server.crt", "key_file": f"{x_tls}/server.key"}
    ],
    # Nobody's name server knows demo.lab.test: the edges answer to their addresses as well.
    "extra_sites": [
        {
            "name": "by-address",
            "hosts": [x_lab.address(host.name) for host in hosts_of("nginx")],
            "routes": [
                {"path": "/", "upstream": "api"},
                {"path": "/ws", "upstream": "ws", "websocket": True, "read_timeout": 3600},
            ],
        }
    ],
}
