"""daemon.json: what it holds, and what of it a running engine takes over by a reload."""

from __future__ import annotations

from typing import Any

from roles.docker.data import Docker

ROTATED = ("local", "json-file")
"""Log drivers that keep files on the host and rotate them."""


def daemon_options(data: Docker) -> dict[str, Any]:
    """Everything that is to be in daemon.json: what is not said is left to the engine."""
    options: dict[str, Any] = {
        "bip": data.bip,
        "default-address-pools": [{"base": pool.base, "size": pool.size} for pool in data.default_address_pools],
        "default-ulimits": {name: {"Name": name, "Hard": n, "Soft": n} for name, n in data.default_ulimits.items()},
        "dns": data.dns,
        "dns-search": data.dns_search,
        "icc": data.icc,
        "insecure-registries": data.insecure_registries,
        "labels": data.labels,
        "live-restore": data.live_restore,
        "log-level": data.log_level,
        "max-concurrent-downloads": data.max_concurrent_downloads,
        "max-concurrent-uploads": data.max_concurrent_uploads,
        "metrics-addr": data.metrics_addr,
        "mtu": data.mtu,
        "no-new-privileges": data.no_new_privileges or None,
        "registry-mirrors": data.registry_mirrors,
        "storage-driver": data.storage_driver,
        "data-root": data.data_root,
        "userland-proxy": data.userland_proxy,
    }
    said = {key: value for key, value in options.items() if value is not None and value not in ([], {})}
    return {**said, **logging(data), **data.daemon_options}


def logging(data: Docker) -> dict[str, Any]:
    """The log driver, and its rotation where it keeps files."""
    rotation = {"max-size": data.log_max_size, "max-file": str(data.log_max_file)} if data.log_driver in ROTATED else {}
    opts = {**rotation, **data.log_opts}
    return {"log-driver": data.log_driver, **({"log-opts": opts} if opts else {})}
