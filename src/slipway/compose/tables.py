"""All tables of keys, by the part of the Compose file they read: for the reference and for the tests."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel

from slipway.compose import container, deploying, environment, extending, loader, mounts, service
from slipway.compose.extension import (
    CanarySettings,
    Edge,
    Migration,
    RateLimit,
    Ready,
    ReleaseSettings,
    Rollout,
    ServiceExtension,
)
from slipway.compose.model import Service, Stack
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
from slipway.compose.table import Table


@dataclass(frozen=True)
class Part:
    """One kind of mapping: what the specification's parts are called, where it stands, its table, what it becomes."""

    name: str
    path: str
    table: Table
    model: type[BaseModel]


PARTS = (
    Part("top", "top level", loader.TOP, Stack),
    Part("service", "services.NAME", service.SERVICE, Service),
    Part("service extension", "services.NAME.x-slipway", extending.SERVICE_EXTENSION, ServiceExtension),
    Part("edge", "services.NAME.x-slipway.edge", extending.EDGE, Edge),
    Part("rate limit", "services.NAME.x-slipway.edge.rate_limit", extending.RATE_LIMIT, RateLimit),
    Part("ready", "services.NAME.x-slipway.ready", extending.READY, Ready),
    Part("stack extension", "x-slipway", extending.STACK_EXTENSION, ReleaseSettings),
    Part("migration", "x-slipway.migrate", extending.MIGRATION, Migration),
    Part("rollout", "x-slipway.rollout", extending.ROLLOUT, Rollout),
    Part("canary", "x-slipway.canary", extending.CANARY, CanarySettings),
    Part("deploy", "services.NAME.deploy", deploying.DEPLOY, Service),
    Part("update_config", "services.NAME.deploy.update_config", deploying.UPDATE, UpdateConfig),
    Part("rollback_config", "services.NAME.deploy.rollback_config", deploying.ROLLBACK, UpdateConfig),
    Part("resources", "services.NAME.deploy.resources", deploying.RESOURCES, Resources),
    Part("limits", "services.NAME.deploy.resources.limits", deploying.LIMITS, Amounts),
    Part("reservations", "services.NAME.deploy.resources.reservations", deploying.RESERVATIONS, Amounts),
    Part("placement", "services.NAME.deploy.placement", deploying.PLACEMENT, Placement),
    Part("restart_policy", "services.NAME.deploy.restart_policy", deploying.RESTART_POLICY, Service),
    Part("build", "services.NAME.build", container.BUILD, Build),
    Part("healthcheck", "services.NAME.healthcheck", container.HEALTHCHECK, Healthcheck),
    Part("dependency", "services.NAME.depends_on.OTHER", container.DEPENDENCY, BaseModel),
    Part("env_file", "services.NAME.env_file (an item)", environment.ENV_FILE, BaseModel),
    Part("port", "services.NAME.ports (an item)", mounts.PORT, Port),
    Part("mount", "services.NAME.volumes (an item)", mounts.MOUNT, Volume),
    Part("mount.bind", "services.NAME.volumes (an item).bind", mounts.BIND, Volume),
    Part("mount.volume", "services.NAME.volumes (an item).volume", mounts.NAMED, Volume),
    Part("mount.tmpfs", "services.NAME.volumes (an item).tmpfs", mounts.TMPFS, Volume),
    Part("service secret", "services.NAME.secrets (an item)", container.SECRET, ServiceSecret),
    Part("ulimit", "services.NAME.ulimits.LIMIT", container.ULIMIT, Ulimit),
    Part("logging", "services.NAME.logging", container.LOGGING, Logging),
    Part("attachment", "services.NAME.networks.NETWORK", container.ATTACHMENT, BaseModel),
    Part("secret", "secrets.NAME", loader.SECRET, SecretRef),
    Part("volume", "volumes.NAME", loader.VOLUME, BaseModel),
    Part("network", "networks.NAME", loader.NETWORK, BaseModel),
)
