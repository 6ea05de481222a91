"""What the lock file asks for, for the Python of Debian 12: hosts of the tests reach no index of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.project import ROOT

LONGEST_SECONDS = 240
"""A slow index, and 140 packages."""


def packages(command: str, folder: Path) -> Path:
    """The packages in `folder`: as wheels for the command `download`, ready to be imported for `install`."""
    words = ["--require-hashes", "--no-deps", "--only-binary=:all:", "--python-version", "3.11"]
    to = {"download": ["-d"], "install": ["--no-compile", "--target"]}[command]
    pip = [sys.executable, "-m", "pip", command, "-q", *words, *to, str(folder)]
    subprocess.run([*pip, "-r", str(_lock_file(folder))], check=True, timeout=LONGEST_SECONDS)
    return folder


def _lock_file(folder: Path) -> Path:
    """The lock file without its condition on 3.11.3: pip judges it by the Python that it runs in, not 3.11.2."""
    lock = folder.with_name(f"{folder.name}.lock")
    lock.write_text((ROOT / "requirements.lock").read_text().replace(" ; python_full_version < '3.11.3'", ""))
    return lock
