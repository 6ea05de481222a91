"""Who runs this, and when: for locks, records and the audit."""

from __future__ import annotations

import getpass
import os
import socket
from datetime import UTC, datetime


def who() -> str:
    """user@host of the controller, in one word. Whoever became root through sudo is told by their own name."""
    return f"{_user()}@{socket.gethostname()}"


def now() -> str:
    """UTC by the controller's clock, to the second. To be read by people: nothing of ours is ordered by it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _user() -> str:
    behind_sudo = os.environ.get("SUDO_USER", "") if os.geteuid() == 0 else ""
    if behind_sudo:
        return behind_sudo
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as in some containers
        return str(os.getuid())
