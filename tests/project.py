"""A small project of its own on real hosts: what a user would write, run as a user would run it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

from slipway.lab.hosts import hosts_named
from slipway.lab.inventory import connection_data
from slipway.lab.lab import Lab

ROOT = Path(__file__).parents[1]

# A whole small deploy takes seconds, its packages half a minute; five minutes tell a hang from a busy machine.
LONGEST_SECONDS = 300


@dataclass(frozen=True)
class Project:
    """A directory with inventories/all.py over some lab hosts, and a deploy.py."""

    path: Path
    lab: Lab

    def write(self, name: str, text: str) -> None:
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dedent(text).lstrip("\n"), encoding="utf-8")

    def inventory(self, **groups: list[str]) -> None:
        """Writes inventories/all.py with these groups of lab hosts."""
        lines = [
            f"{group} = {[(name, connection_data(self.lab.layout, hosts_named([name])[0])) for name in names]!r}"
            for group, names in groups.items()
        ]
        self.write("inventories/all.py", "\n".join(lines) + "\n")

    def pyinfra(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Plain pyinfra, as from a shell."""
        return self._run(str(Path(sys.executable).with_name("pyinfra")), "inventories/all.py", *arguments)

    def slipway(self, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self._run(sys.executable, "-m", "slipway", command, "all", *arguments)

    def slipway_words(self, *words: str, seconds: int = LONGEST_SECONDS) -> subprocess.CompletedProcess[str]:
        """The same for a command whose inventory is not its first argument, or that takes longer."""
        return self._run(sys.executable, "-m", "slipway", *words, seconds=seconds)

    def popen_words(self, *words: str) -> subprocess.Popen[str]:
        """The same, left running."""
        return self._popen(sys.executable, "-m", "slipway", *words)

    def popen(self, command: str, *arguments: str) -> subprocess.Popen[str]:
        """The same, left running."""
        return self._popen(sys.executable, "-m", "slipway", command, "all", *arguments)

    def python(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A program of the project's own."""
        return self._run(sys.executable, *words)

    def popen_python(self, *words: str) -> subprocess.Popen[str]:
        return self._popen(sys.executable, *words)

    def popen_pyinfra(self, *arguments: str) -> subprocess.Popen[str]:
        return self._popen(str(Path(sys.executable).with_name("pyinfra")), "inventories/all.py", *arguments)

    def _popen(self, *words: str) -> subprocess.Popen[str]:
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL}
        return subprocess.Popen(words, cwd=self.path, env=self._env(), text=True, **pipes)  # type: ignore[call-overload,no-any-return]

    def _run(self, *words: str, seconds: int = LONGEST_SECONDS) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            words, cwd=self.path, env=self._env(), stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=seconds, check=False,
        )  # fmt: skip

    def _env(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}", "PYINFRA_PROGRESS": "off", "COLUMNS": "160"}


def new_project(path: Path, lab: Lab, *hosts: str) -> Project:
    """A project whose hosts are all in the group `web`."""
    project = Project(path, lab)
    shutil.copy(ROOT / "config.py", path / "config.py")
    project.inventory(web=list(hosts))
    project.write("deploy.py", "")
    return project
