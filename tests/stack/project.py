"""The demo stack's project over a lab of a test's own, with the commands a user has for it; and variants of it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import yaml

from slipway.lab.lab import Lab

ROOT = Path(__file__).parents[2]
COPIED = ("roles", "templates", "inventories", "group_data", "stacks", "deploy.py", "config.py")
"""What a user has in a project; the engine is this checkout's."""

# The first deploy installs everything on seven hosts that share two cores; ten minutes tell a hang from that.
LONGEST_SECONDS = 600
BEGUN: list[subprocess.Popen[str]] = []
"""What was left running: a test that fails must not leave a run behind that holds the lock against all that follow."""


@dataclass(frozen=True)
class DemoProject:
    """A project directory and the lab whose hosts it deploys to."""

    path: Path
    lab: Lab

    def slipway(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self._run(sys.executable, "-m", "slipway", *arguments)

    def slipway_begun(self, *arguments: str, stderr: IO[str] | None = None) -> subprocess.Popen[str]:
        """The same, left running. What it says to people goes to a file: nobody reads a pipe of it until it is full."""
        words, pipe = [sys.executable, "-m", "slipway", *arguments], subprocess.PIPE
        with self._said.open("w") as said:
            begun = subprocess.Popen(
                words,
                cwd=self.path,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=pipe,
                stderr=stderr or said,
                text=True,
            )
        BEGUN.append(begun)
        return begun

    @property
    def said(self) -> str:
        """What the last one that was left running said to people, so far."""
        return self._said.read_text()

    @property
    def _said(self) -> Path:
        return self.path / "said.log"

    def pyinfra(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self._run(str(Path(sys.executable).with_name("pyinfra")), "inventories/lab.py", "deploy.py", *arguments)

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

    def served(self) -> dict[str, set[str]]:
        """Host to the releases that its containers serve."""
        found: dict[str, set[str]] = {}
        for row in json.loads(self.slipway("status", "lab", "--json").stdout):
            if row["role"] == "app":
                found.setdefault(row["host"], set()).add(row["release"])
        return found

    @property
    def hosts(self) -> list[str]:
        return [host.name for host in self.lab.hosts()]

    @property
    def _env(self) -> dict[str, str]:
        trace = ROOT / ".slipway" / f"trace-{self.lab.name}.jsonl"
        trace.parent.mkdir(exist_ok=True)
        ours = {"SLIPWAY_LAB": self.lab.name, "SLIPWAY_TRACE": str(trace)}
        return {**os.environ, **ours, "PYINFRA_PROGRESS": "off", "COLUMNS": "160"}

    def _run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            words, cwd=self.path, env=self._env, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=LONGEST_SECONDS, check=False,
        )  # fmt: skip


@dataclass(frozen=True)
class Stack(DemoProject):
    """The project as it is in this checkout, deployed."""

    first_deploy: subprocess.CompletedProcess[str]


class Variant(DemoProject):
    """A copy of a project that may be edited, over the same hosts."""

    @classmethod
    def of(cls, project: DemoProject, path: Path) -> Variant:
        for name in COPIED:
            source = project.path / name
            shutil.copytree(source, path / name) if source.is_dir() else shutil.copy(source, path / name)
        # Keys, certificates and secrets of the lab.
        (path / ".slipway").symlink_to(ROOT / ".slipway")
        return cls(path, project.lab)

    def edit(self, old: str, new: str) -> None:
        """Replaces text in the Compose file, which must be there."""
        file = self.path / "stacks/demo/compose.yaml"
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new))

    @contextmanager
    def compose(self) -> Iterator[dict[str, Any]]:
        """The Compose file as data, written back when the block ends; without its anchors and comments."""
        file = self.path / "stacks/demo/compose.yaml"
        document = yaml.safe_load(file.read_text())
        yield document
        file.write_text(yaml.dump(json.loads(json.dumps(document)), sort_keys=False))

    def change_source(self) -> None:
        """Another line in the demo's own program: another image."""
        with (self.path / "stacks/demo/src/demo/__init__.py").open("a") as file:
            file.write("# Another release.\n")

    def add_group_data(self, group: str, lines: str) -> None:
        """Adds lines of Python to group_data/<group>.py."""
        with (self.path / "group_data" / f"{group}.py").open("a") as file:
            file.write(f"\n{lines}\n")


@contextmanager
def deployed(lab: Lab, project: DemoProject) -> Iterator[subprocess.CompletedProcess[str]]:
    """Seven bare hosts, then one deploy of the project. They stay up after the tests with SLIPWAY_KEEP_LAB set."""
    lab.up()
    done = project.slipway("deploy", "lab", "--json")
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    yield done
    if not os.environ.get("SLIPWAY_KEEP_LAB"):  # for looking at it by hand after a failure
        lab.down()
