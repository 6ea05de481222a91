"""The demo stack on seven container hosts, deployed once for all tests of this directory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from slipway.lab.lab import Lab

ROOT = Path(__file__).parents[2]
NAME = "test-stack"
# The first deploy installs everything on seven hosts that share two cores; ten minutes tell a hang from that.
LONGEST_SECONDS = 600


@dataclass(frozen=True)
class Stack:
    """The deployed lab, and the commands a user has for it."""

    lab: Lab
    first_deploy: subprocess.CompletedProcess[str]

    def slipway(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return run(sys.executable, "-m", "slipway", *arguments)

    def pyinfra(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return run(str(Path(sys.executable).with_name("pyinfra")), "inventories/lab.py", "deploy.py", *arguments)

    def plan(self) -> dict[str, Any]:
        """The plan as JSON, once its exit code has been found to be true."""
        done = self.slipway("plan", "lab", "--json")
        assert done.returncode in (0, 3), done.stderr
        told: dict[str, Any] = json.loads(done.stdout)
        assert done.returncode == (3 if told["hosts"] else 0)
        return told

    def deploy(self) -> subprocess.CompletedProcess[str]:
        done = self.slipway("deploy", "lab")
        assert done.returncode == 0, done.stderr + done.stdout
        return done

    @property
    def hosts(self) -> list[str]:
        return [host.name for host in self.lab.hosts()]


def run(*words: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "SLIPWAY_LAB": NAME, "PYINFRA_PROGRESS": "off", "COLUMNS": "160"}
    return subprocess.run(
        words, cwd=cwd, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LONGEST_SECONDS,
        check=False,
    )  # fmt: skip


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """Seven bare hosts, then one deploy."""
    lab = Lab(NAME)
    lab.up()
    done = run(sys.executable, "-m", "slipway", "deploy", "lab", "--json")
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    yield Stack(lab, done)
    if not os.environ.get("SLIPWAY_KEEP_LAB"):  # for looking at it by hand after a failure
        lab.down()
