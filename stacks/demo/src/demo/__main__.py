"""python3 -m demo api | ws | worker | scheduler | health [SERVICE]"""

from __future__ import annotations

import importlib
import os
import sys

from .config import BadSettings, Settings

SERVICES = {
    "api": {"database", "redis", "session"},
    "ws": {"database", "redis"},
    "worker": {"database", "redis"},
    "scheduler": {"database", "redis"},
}
"""What each service needs to be told."""
USAGE, BAD_SETTINGS = 64, 78
"""Exit codes as sysexits.h names them: EX_USAGE, EX_CONFIG."""


def main(arguments: list[str]) -> int:
    match arguments:
        case ["health", *rest] if len(rest) <= 1:
            return _health(rest[0] if rest else None)
        case [service] if service in SERVICES:
            return _run(service)
        case _:
            print(f"usage: {__doc__}", file=sys.stderr)
            return USAGE


def _health(service: str | None) -> int:
    from .heartbeat import complaint

    wrong = complaint(service)
    print(wrong or "alive")
    return 1 if wrong else 0


def _run(service: str) -> int:
    try:
        settings = Settings.from_environment(os.environ, service, SERVICES[service])
    except BadSettings as error:
        print(f"demo {service}: cannot start:\n{error}", file=sys.stderr)
        return BAD_SETTINGS
    from .logs import start_logging

    start_logging(settings)
    # Only the service asked for: the others' libraries cost start-up time.
    importlib.import_module(f".{service}", __package__).main(settings)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
