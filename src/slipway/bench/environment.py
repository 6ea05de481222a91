"""Ansible and Mitogen in an environment of their own: made on consent, from a lock file with hashes."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from slipway.lab.engine import LabFailed
from slipway.machine import Need
from slipway.paths import SOURCE_ROOT, state_dir

LOCK = "requirements-bench.lock"


def ansible_environment() -> Path:
    """Where it lies, made or not."""
    return state_dir() / "bench" / "ansible"


def missing_ansible() -> list[Need]:
    """What there is to do before it can be used; nothing where it is there, as the lock file says."""
    if _is_current():
        return []
    return [Need(f"install Ansible and Mitogen from {LOCK} into {ansible_environment()}", _make)]


def _lock_sum() -> str:
    return hashlib.sha256((SOURCE_ROOT / LOCK).read_bytes()).hexdigest()


def _is_current() -> bool:
    marker = ansible_environment() / "installed"
    return marker.is_file() and marker.read_text() == _lock_sum()


def _make() -> None:
    place = ansible_environment()
    shutil.rmtree(place, ignore_errors=True)
    pip = [str(place / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    for words in (
        [sys.executable, "-m", "venv", str(place)],
        [*pip, "--require-hashes", "-r", str(SOURCE_ROOT / LOCK)],
    ):
        if subprocess.run(words, stdout=sys.stderr, check=False).returncode != 0:
            raise LabFailed("bench", f"could not install {LOCK} (see above)", "is a Python package index reachable?")
    (place / "installed").write_text(_lock_sum())
