"""Files of the controller's that others read while they are written: the old one or the new one, never half."""

from __future__ import annotations

import os
from pathlib import Path


def put(path: Path, content: str, mode: int = 0o600) -> None:
    """Whole or not at all, with that mode from its first byte on. Raises OSError."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.new")  # a person's run and the timer's may write at once
    beside.unlink(missing_ok=True)
    beside.touch(mode=0o600)
    beside.write_text(content, encoding="utf-8")
    beside.chmod(mode)
    beside.replace(path)


def point(link: Path, name: str) -> None:
    """A symbolic link to the name beside it; one that leads elsewhere is replaced. Raises OSError."""
    beside = link.with_name(f".{link.name}.{os.getpid()}.new")
    beside.unlink(missing_ok=True)
    beside.symlink_to(name)
    beside.replace(link)
