"""The Docker engine as it runs: what it was started with."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from pyinfra.api import FactBase, StringCommand

from slipway.facts.files import script

STARTED_WITH = "/run/slipway/started/docker.json"
"""Copy of daemon.json that a drop-in of docker.service takes at each start, whoever starts it."""

RELOADABLE = frozenset(
    {
        "authorization-plugins", "debug", "default-runtime", "features", "insecure-registries", "labels",
        "live-restore", "max-concurrent-downloads", "max-concurrent-uploads", "max-download-attempts",
        "registry-mirrors", "runtimes", "shutdown-timeout",
    }
)  # fmt: skip
"""Options that a running engine takes over on SIGHUP: docs.docker.com, dockerd, "Configuration reload behavior"."""


@dataclass(frozen=True)
class Engine:
    """The engine's unit, and the options that the running process was started with."""

    is_running: bool = False
    started_with: dict[str, Any] | None = field(default=None)
    """None where nobody wrote it down: it was started before Slipway came."""

    def restart_for(self, wanted: dict[str, Any]) -> list[str]:
        """Options that differ from what it was started with and that only a restart brings; none where unknown."""
        if not self.is_running or self.started_with is None:
            return []
        keys = {*wanted, *self.started_with} - RELOADABLE
        return sorted(key for key in keys if wanted.get(key) != self.started_with.get(key))


class EngineFact(FactBase[Engine]):
    """Whether the engine runs, and what it was started with."""

    def command(self) -> StringCommand:
        return script('systemctl is-active docker.service; [ ! -f "$1" ] || cat -- "$1"', STARTED_WITH)

    @staticmethod
    def default() -> Engine:
        return Engine()

    def process(self, output: list[str]) -> Engine:
        text = "\n".join(output[1:])
        return Engine(output[0] in ("active", "reloading"), _options(text) if text else None)


def _options(text: str) -> dict[str, Any] | None:
    """The options in a daemon.json; None for a file that holds none (the engine does not start with one either)."""
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
