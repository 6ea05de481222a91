"""A small project that is right, to be made wrong in one place: nothing of it can be connected to."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyinfra_cli  # noqa: F401 - it patches for gevent, before anything opens a socket

from slipway.engine.declare import declare
from slipway.engine.inventory import find_inventory
from slipway.problems import BadInput, Problem

ROOT = Path(__file__).parents[1]

# Documentation addresses (RFC 5737): nobody answers there, so a connection would show as time spent.
INVENTORY = """\
_login = {"ssh_user": "ops", "_sudo": True}

nginx = [("edge1", {"address": "192.0.2.11", **_login})]
workers = [
    ("worker1", {"address": "192.0.2.21", **_login}),
    ("worker2", {"address": "192.0.2.22", **_login}),
    ("worker3", {"address": "192.0.2.23", **_login}),
]
postgres = [("db1", {"address": "192.0.2.31", **_login})]
redis = [("cache1", {"address": "192.0.2.41", **_login})]
"""

STACK_TEXT = """\
x-program: &program
  build: {context: .}
  environment:
    LEVEL: info
services:
  api:
    <<: *program
    secrets: [session_key]
    stop_grace_period: 40s
    x-slipway:
      group: workers
      edge: {hosts: [demo.test], port: 8000}
  scheduler:
    <<: *program
    x-slipway:
      group: workers
  db:
    image: postgres:17
    environment: {POSTGRES_DB: demo, POSTGRES_USER: demo, POSTGRES_PASSWORD_FILE: /run/secrets/postgres_password}
    secrets: [postgres_password]
  cache:
    image: redis:8
    secrets: [redis_password]
secrets:
  postgres_password: {external: true}
  redis_password: {external: true}
  session_key: {external: true}
"""

CANARY = "canary-4711-Zm9v"
"""Part of every secret's value here: it may stand in no message."""


def bringing(group: str, role: str) -> str:
    """A deploy.py of one role: what is wrong elsewhere is found with it as well, in a tenth of the time."""
    return f'from roles import {role}\nfrom slipway.deploy import converge\n\nconverge("It", {{"{group}": {role}}})\n'


FILES = {
    "inventories/fleet.py": INVENTORY,
    "group_data/all.py": 'stack = "demo"\n',
    "group_data/fleet.py": 'secrets = "file:secrets.yaml"\n',
    "secrets.yaml": "".join(
        f"{name}: {CANARY}-{name}\n" for name in ("postgres_password", "redis_password", "session_key")
    ),
    "stacks/demo/Dockerfile": "FROM scratch\n",
    "stacks/demo/compose.yaml": STACK_TEXT,
    "deploy.py": bringing("redis", "redis"),
}


@dataclass(frozen=True)
class WrongProject:
    """One inventory, a small stack, a deploy.py of one role; the real roles and templates."""

    path: Path

    def write(self, name: str, text: str | bytes) -> None:
        if name.startswith("templates/") and (self.path / "templates").is_symlink():
            self.own_templates()
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        if name == "secrets.yaml":
            file.chmod(0o600)

    def append(self, name: str, text: str) -> None:
        file = self.path / name
        self.write(name, (file.read_text() if file.exists() else "") + text)

    def edit(self, name: str, old: str, new: str) -> None:
        """Replaces the first `old`, which must be there: a case that changes nothing proves nothing."""
        text = (self.path / name).read_text()
        assert old in text, f"{name} has no {old!r}"
        self.write(name, text.replace(old, new, 1))

    def whole_deploy(self) -> None:
        """The project's own deploy.py, with every role."""
        shutil.copy(ROOT / "deploy.py", self.path / "deploy.py")

    def own_templates(self) -> None:
        """Templates that may be changed, in the place of the project's."""
        (self.path / "templates").unlink()
        shutil.copytree(ROOT / "templates", self.path / "templates")

    def problems(
        self, limit: Iterable[str] = (), data: Mapping[str, Any] | None = None, inventory: str = "fleet"
    ) -> list[Problem]:
        """What validation says, in this process and from the project's directory; nothing where all is right."""
        try:
            declare(find_inventory(inventory), [self.path / "deploy.py"], limit, data)
        except BadInput as error:
            return list(error.problems)
        return []

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A command as from a shell. Half a minute: a run that tries to connect is to be told from a slow machine."""
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "PYINFRA_PROGRESS": "off", "COLUMNS": "160"}
        return subprocess.run(
            [sys.executable, *words], cwd=self.path, env=environment, stdin=subprocess.DEVNULL, capture_output=True,
            text=True, timeout=30, check=False,
        )  # fmt: skip


def wrong_project(path: Path) -> WrongProject:
    """The project, right as yet."""
    project = WrongProject(path)
    for name, text in FILES.items():
        project.write(name, text)
    shutil.copy(ROOT / "config.py", path / "config.py")
    for name in ("roles", "templates"):
        (path / name).symlink_to(ROOT / name)
    return project
