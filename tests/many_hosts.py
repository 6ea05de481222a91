"""A run over hosts that answer at once and where all is as wanted: what is left is the controller's own cost.

Run by itself it prints that as JSON:  python -m tests.many_hosts HOSTS OPERATIONS [calls]
"""

from __future__ import annotations

import cProfile
import json
import os
import pstats
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

import pyinfra_cli  # noqa: F401 - it patches for gevent, before anything opens a socket

# isort: split
import pyinfra
from pyinfra.api.state import StateStage
from pyinfra.connectors.util import CommandOutput, OutputLine
from pyinfra.context import ctx_inventory, ctx_state

from slipway.engine.declare import declare
from slipway.engine.events import Events
from slipway.engine.execute import Executor, Result
from slipway.engine.inventory import read_inventory
from slipway.engine.lock import FleetLock
from slipway.engine.prepare import prepare
from slipway.engine.session import real_run
from slipway.seam.connection import Connection
from slipway.seam.hosts import connect_all, disconnect_all, learn_questions, with_connector

TEXT = "limit {{ number }} of {{ data.names | join(' ') }}\n" * 20

ROLE = """\
from slipway.ops import files
from slipway.render import render
from slipway.role import Role, RoleData


class Limits(RoleData):
    names: list[str] = ["one", "two", "three"]
    count: int


def tasks(data, ctx):
    for number in range(data.count):
        content = render("limits.j2", number=number, data=data)
        files.put(name="Write the limits", path=f"/etc/limits/{number}", content=content)


role = Role("limits", Limits, tasks)
"""

DEPLOY = """\
import limits_of_it
from slipway.deploy import converge

converge("Limits", {"all": limits_of_it})
"""

MACHINE = ["distribution=debian", "version=13", "codename=trixie", "architecture=amd64", "cpus=2", "memory_kb=2097152"]


def project(path: Path, hosts: int, operations: int) -> None:
    """An inventory of so many hosts, with one role of so many files."""
    web = [(f"web{n}", {"address": f"10.0.{n // 250}.{n % 250 + 1}", "_sudo": True}) for n in range(hosts)]
    files = {
        "inventories/fleet.py": f"web = {web!r}\n",
        "group_data/all.py": f"limits = {{'count': {operations}}}\n",
        "templates/limits.j2": TEXT,
        "limits_of_it.py": ROLE,
        "deploy.py": DEPLOY,
    }
    for name, text in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(text)


class AsWanted(Connection):
    """Takes what would go to the host, and answers as a host does where all is as wanted."""

    def connect(self) -> None: ...

    def disconnect(self) -> None:
        self.memory.foreseen.save()

    def _exchange(
        self, words: str, stdin: Any, get_pty: bool, seconds: float, print_output: bool
    ) -> tuple[int, CommandOutput]:
        told = [("stdout", line) for line in answer(words)] if stdin is None else list(answers(stdin.decode()))
        return 0, CommandOutput([OutputLine(*each) for each in told])


def answers(asked: str) -> Iterator[tuple[str, str]]:
    """What it prints for many questions at once, each followed by its exit code."""
    mark = asked.partition("\n")[0].removeprefix("mark=")
    for code, lines in ("begin", []), *(("0", answer(each)) for each in asked.split("told $?\n")[:-1]):
        yield from (("stdout", line) for line in lines)
        yield from ((stream, line) for stream in ("stdout", "stderr") for line in ("", f"{mark} {code}"))


def answer(words: str) -> list[str]:
    """What such a host prints."""
    if "/etc/os-release" in words:
        return MACHINE
    number = re.search(r"/etc/limits/(\d+)", words)
    assert number, f"not a question of this run: {words}"
    return ["regular file|644|root|root", f"{wanted(number[1])}  -"]


@cache
def wanted(number: str) -> str:
    """Hash of a file's content, as the role has it."""
    return sha256(f"limit {number} of one two three\n".encode() * 20).hexdigest()


SENT: list[int] = []
"""Commands that each run has sent, to all hosts together."""


class Held:
    """A lock that nobody contests."""

    def check(self) -> None: ...


def run(path: Path) -> Result:
    """Declared, connected, prepared and executed, from the project's directory."""
    inventory, deploy_file = path / "inventories/fleet.py", path / "deploy.py"
    run = real_run(declare(inventory, [deploy_file]), read_inventory(inventory), [], Events())
    with_connector(run.state.inventory, AsWanted)
    for host in run.state.inventory:
        host.init(run.state)
    learn_questions(run.state.inventory, path / "asked")
    with ctx_inventory.use(run.state.inventory), ctx_state.use(run.state):
        connect_all(run.state)
        run.state.set_stage(StateStage.Prepare)
        prepare(run, deploy_file)
        try:
            return Executor(run, cast(FleetLock, Held())).execute()
        finally:
            SENT.append(sum(host.connector.commands_sent for host in run.state.inventory))  # type: ignore[attr-defined]
            disconnect_all(run.state)


def main(hosts: int, operations: int) -> dict[str, float]:
    """The cost of a run: processor seconds, the most memory that it had, and that it did what it was to do.

    It is the second one: what it asks is known from the first, which is told as well.
    """
    pyinfra.is_cli = True
    with tempfile.TemporaryDirectory() as folder:
        project(Path(folder), hosts, operations)
        os.chdir(folder)
        first, _ = timed(Path(folder))
        seconds, result = timed(Path(folder))
        os.chdir("/")
    memory = peak_mb()
    unchanged = sum(host.unchanged for host in result.hosts.values())
    told = {"memory_mb": memory, "commands": SENT[-1], "unchanged": unchanged, "changed": result.changed}
    return {"seconds": round(seconds, 3), "first_seconds": round(first, 3), **told}


def peak_mb() -> int:
    """The most memory that this process has had: getrusage tells that of whoever started it, where it is more."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024


def calls(hosts: int, operations: int) -> int:
    """Calls of functions in a run: what it does, whatever else the machine does meanwhile."""
    pyinfra.is_cli = True
    with tempfile.TemporaryDirectory() as folder:
        project(Path(folder), hosts, operations)
        os.chdir(folder)
        run(Path(folder))
        profile = cProfile.Profile()
        profile.runcall(run, Path(folder))
        os.chdir("/")
    found: int = pstats.Stats(profile).total_calls  # type: ignore[attr-defined]
    return found


def timed(path: Path) -> tuple[float, Result]:
    """A run, and its processor seconds."""
    before = time.process_time()
    result = run(path)
    return time.process_time() - before, result


if __name__ == "__main__":
    measure = calls if sys.argv[3:] == ["calls"] else main
    print(json.dumps(measure(int(sys.argv[1]), int(sys.argv[2]))))
