"""A container that crashes over and over gets its other name, whatever Docker is at with it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from slipway.ops.containers_script import RENAME

GONE = "Error response from daemon: sandbox f13015a9df30 not found\nError: failed to rename container named shop-web-1"
RESTARTS = "Error response from daemon: cannot rename a container that is restarting"
TAKEN = "Error response from daemon: Conflict. The container name is already in use"

DOCKER = """\
#!/bin/sh
echo "$1" >> calls
case $1 in
  rename) [ ! -s says ] || [ -e stopped ] || { cat says >&2; exit 1; } ;;
  stop) touch stopped ;;
  container) cat status ;;
esac
"""


@pytest.mark.parametrize(
    ("says", "status", "calls", "told"),
    [
        ("", "running", ["rename"], ""),
        (GONE, "exited", ["rename", "stop", "rename"], ""),
        (GONE, "running", ["rename", "stop", "rename"], ""),
        (RESTARTS, "restarting", ["rename", "container", "stop", "rename"], ""),
        (TAKEN, "running", ["rename", "container"], f"{TAKEN}\n"),
    ],
)
def test_what_serves_nobody_is_stopped_first(
    tmp_path: Path, says: str, status: str, calls: list[str], told: str
) -> None:
    """One that may serve is never stopped for a name, and Docker's words are told."""
    for name, content in {"docker": DOCKER, "says": says, "status": status}.items():
        (tmp_path / name).write_text(content)
    (tmp_path / "docker").chmod(0o755)
    env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    script = f"{RENAME}rename shop-web-1 shop-web-1-previous"
    done = subprocess.run(["dash", "-uc", script], cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert (done.returncode != 0, done.stderr) == (bool(told), told)
    assert (tmp_path / "calls").read_text().split() == calls
