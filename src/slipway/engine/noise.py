"""Noise that is declared for hosts and roles that there are: a slip of the pen would hide nothing, and nobody know."""

from __future__ import annotations

from collections.abc import Collection
from fnmatch import fnmatchcase
from pathlib import Path

from slipway.engine.fleet_wide import Shared
from slipway.engine.run import Run
from slipway.problems import did_you_mean


def look_over_noise(run: Run, path: Path) -> None:
    """Notes patterns that mean nobody."""
    place = Shared(run.state.inventory, path, run.problems).place("reconcile")
    hosts = [member.name for member in run.fleet]
    roles = {role.key for stage in run.stages for _, role in stage.roles}
    for number, noise in enumerate(run.reconcile.noise):
        for field, pattern, names in (("host", noise.host, hosts), ("role", noise.role, roles)):
            if not _means_any(pattern, names):
                where = f"reconcile.noise.{number}.{field}"
                hint = f"{did_you_mean(pattern, names)} (in {place})"
                run.problems.add(where, f"no {field} is called {pattern!r}", hint)


def _means_any(pattern: str, names: Collection[str]) -> bool:
    return any(fnmatchcase(name, pattern) for name in names)
