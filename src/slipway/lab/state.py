"""The lab's state directory: keys, secrets, certificates. Nobody else may read it, and `down` removes it."""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path

from slipway.lab.layout import Layout

SECRETS = ("postgres_password", "redis_password", "session_key")
_SECRET_BYTES = 32
"""43 characters of the URL-safe alphabet."""


def write_private(path: Path, content: str) -> None:
    """Writes a file that is born 0600, in directories made 0700; whole or not at all."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(content)
    fresh.replace(path)


def ensure_state(lab: Layout) -> None:
    """Makes the lab's state directory, readable by its owner only."""
    lab.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    lab.state.chmod(0o700)


def ensure_secrets(lab: Layout) -> None:
    """Random passwords for the lab's services, made once and kept until `down`."""
    if not lab.secrets.is_file():
        lines = [f"{key}: {secrets.token_urlsafe(_SECRET_BYTES)!r}\n" for key in SECRETS]
        write_private(lab.secrets, "".join(lines))


def settle_octet(lab: Layout, octet: int) -> None:
    """Writes down which of the lab networks this lab got: inventories read it from then on."""
    write_private(lab.state / "octet", f"{octet}\n")


def remove_state(lab: Layout) -> None:
    """Removes the lab's state directory with everything in it."""
    if lab.state.is_dir():
        shutil.rmtree(lab.state)
