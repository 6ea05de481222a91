"""Settings that follow from a host's memory and processors."""

from __future__ import annotations

from typing import Literal

from slipway.ops.postgres.settings import Value


def sized(memory_mb: int, cpus: int, max_connections: int | None, storage: Literal["ssd", "hdd"]) -> dict[str, Value]:
    """Settings for a server that may use `memory_mb` MiB.

    A quarter goes to shared buffers, about a fifth to maintenance, a quarter to sorting and hashing if every
    connection does it at once; the rest stays for connections themselves and for the kernel's cache.
    """
    connections = max_connections or clamp(memory_mb // 20, 20, 200)
    shared = clamp(memory_mb // 4, 32, 32 * 1024)
    return {
        "max_connections": connections,
        "shared_buffers": f"{shared}MB",
        "effective_cache_size": f"{memory_mb * 3 // 4}MB",
        "maintenance_work_mem": f"{clamp(memory_mb // 16, 16, 2048)}MB",
        "work_mem": f"{clamp(memory_mb * 1024 // 4 // connections, 1024, 64 * 1024)}kB",
        "min_wal_size": f"{clamp(memory_mb // 4, 128, 4096)}MB",
        "max_wal_size": f"{clamp(memory_mb, 1024, 16 * 1024)}MB",
        **_parallel(cpus),
        **_storage(storage),
    }


def _parallel(cpus: int) -> dict[str, Value]:
    at_once = clamp(cpus // 2, 1, 4)
    return {
        "max_worker_processes": max(8, cpus),
        "max_parallel_workers": max(2, cpus),
        "max_parallel_workers_per_gather": at_once,
        "max_parallel_maintenance_workers": at_once,
    }


def _storage(storage: Literal["ssd", "hdd"]) -> dict[str, Value]:
    if storage == "hdd":
        return {"random_page_cost": 4.0, "effective_io_concurrency": 2}
    return {"random_page_cost": 1.1, "effective_io_concurrency": 200}


def clamp(value: int, least: int, most: int) -> int:
    return max(least, min(value, most))
