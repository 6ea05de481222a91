"""What differs in the lab: its generated secrets, a base image made here, the name server of the machine it runs on."""

from slipway.lab import upstream_dns
from slipway.lab.layout import layout

secrets = f"file:{layout().secrets}"
variables = {"DEMO_BASE": "slipway/debian:trixie"}

# Inside a container host resolv.conf names only 127.0.0.11, which containers in it cannot reach.
docker = {"dns": upstream_dns()}
