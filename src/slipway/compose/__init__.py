"""The application as a Compose file: read into a typed stack, or refused with every problem at its line."""

from __future__ import annotations

from slipway.compose.extension import Edge, Migration, RateLimit, Ready, ReleaseSettings, ServiceExtension
from slipway.compose.host_ports import PORTS_OF_A_SERVICE, REPLICAS_ON_A_HOST, SLOTS, base_port, host_port
from slipway.compose.loader import load
from slipway.compose.model import NativeDatabase, NativeRole, NativeService, Service, Stack
from slipway.compose.parts import (
    Amounts,
    Build,
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

__all__ = [
    "PORTS_OF_A_SERVICE",
    "REPLICAS_ON_A_HOST",
    "SLOTS",
    "Amounts",
    "Build",
    "Edge",
    "Healthcheck",
    "Logging",
    "Migration",
    "NativeDatabase",
    "NativeRole",
    "NativeService",
    "Placement",
    "Port",
    "RateLimit",
    "Ready",
    "ReleaseSettings",
    "Resources",
    "SecretRef",
    "Service",
    "ServiceExtension",
    "ServiceSecret",
    "Stack",
    "Ulimit",
    "UpdateConfig",
    "Volume",
    "base_port",
    "host_port",
    "load",
]
