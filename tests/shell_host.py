"""A host that is a directory of this machine: what goes to it goes to a shell, as sshd does it."""

from __future__ import annotations

import grp
import os
import pwd
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import patch

from pyinfra.api import Config, Inventory, State, StringCommand, operation
from pyinfra.api.host import Host
from pyinfra.api.state import StateStage
from pyinfra.connectors.util import CommandOutput, OutputLine
from pyinfra.context import ctx_host, ctx_state

from slipway import seam
from slipway.engine.events import Event, Events
from slipway.engine.execute import Executor
from slipway.engine.run import CONVERGE, Run, Stage
from slipway.facts.files import Markers, script
from slipway.ops import files
from slipway.seam.connection import Connection
from slipway.seam.hosts import all_is_asked, connect_all, with_connector

USER = pwd.getpwuid(os.geteuid()).pw_name
GROUP = grp.getgrgid(os.getegid()).gr_name


class ShellHost(Connection):
    """Runs what would go to the host here, as whoever runs the test."""

    token_held: str = ""
    end: Callable[[int, CommandOutput], tuple[int, CommandOutput]] = staticmethod(lambda code, output: (code, output))
    """What becomes of the answer to a command that may change something."""
    share: float = 1.0
    """How much of the standard input of such a command arrives."""

    def __init__(self, state: Any, host: Any) -> None:
        super().__init__(state, host)
        self.sent: list[tuple[str, bytes]] = []
        """Every command that went to the host, and its standard input."""
        self.token = self.token_held

    def connect(self) -> None: ...

    def _list_at_work(self) -> list[str]:
        return []

    @property
    def changes(self) -> list[tuple[str, bytes]]:
        """Those of `sent` that may change something: they hold the lock."""
        return [each for each in self.sent if "flock --shared" in each[0]]

    def _exchange(
        self, words: str, stdin: Any, get_pty: bool, seconds: float, print_output: bool
    ) -> tuple[int, CommandOutput]:
        changes, stdin = "flock --shared" in words, stdin or b""
        self.sent.append((words, stdin))
        arrives = stdin[: int(len(stdin) * self.share)] if changes else stdin
        done = subprocess.run(["sh", "-c", words], input=arrives, capture_output=True, check=False)
        show = self._printer(print_output)
        lines = [
            OutputLine(name, line)
            for name, said in (("stdout", done.stdout), ("stderr", done.stderr))
            for line in said.decode(errors="replace").splitlines()
        ]
        for each in lines:
            show(each.line)
        return self.end(done.returncode, CommandOutput(lines)) if changes else (done.returncode, CommandOutput(lines))


@operation()
def settle(root: str, what: str) -> Iterator[StringCommand]:
    """Pays what a file owes, and notes in a log that it did."""
    if what in host_markers(root):
        yield script('set -eu; echo "$2" >> "$1/log"; rm -- "$1/owed/$2"', root, what)


def host_markers(root: str) -> frozenset[str]:
    from pyinfra import host

    found: frozenset[str] = host.get_fact(Markers, directory=f"{root}/owed")
    return found


@dataclass
class Done:
    """What came of a run, as far as anybody may see it; the number of commands apart."""

    planned: list[str]
    told: list[tuple[str, str]]
    """(operation, outcome), in the order in which they were run."""
    counted: tuple[int, int]
    error: str
    tree: list[str]
    connection: ShellHost = field(compare=False)
    state: State = field(compare=False)


def deploy(
    root: Path, tasks: Callable[[], None], connector: type[ShellHost] = ShellHost, verbose: bool = False,
    check_lock: Callable[[], None] = lambda: None,
) -> Done:  # fmt: skip
    """Prepares and executes these operations on the directory, as a stage of a run does."""
    state = _state(connector)
    state.print_input = state.print_output = verbose
    host = next(iter(state.inventory))
    told: list[Event] = []
    with patch.object(files, "OWED", str(root / "owed")), ctx_state.use(state):
        connect_all(state)
        state.set_stage(StateStage.Prepare)
        with ctx_host.use(host):
            tasks()
        all_is_asked([host])
        planned = [each for each in host.op_hash_order if state.ops[host][each].operation_meta._maybe_is_change]
        executor = _executed(state, host, told.append, check_lock)
    result = executor.result.hosts[host.name]
    return Done(
        planned=[_name(state, each) for each in planned],
        told=[(each.what, each.outcome) for each in told if each.kind == "operation"],
        counted=(result.changed, result.unchanged),
        error=result.error,
        tree=list(tree(root)),
        connection=cast(ShellHost, host.connector),
        state=state,
    )


def _state(connector: type[ShellHost]) -> State:
    seam.install()
    inventory = with_connector(Inventory(([("web1", {})], {})), connector)
    state = State(inventory, Config())
    state.set_stage(StateStage.Connect)
    return state


def _executed(state: State, host: Host, listen: Callable[[Event], None], check: Callable[[], None]) -> Executor:
    run = Run(state, cast(Any, None), cast(Any, None), events=Events(listen))
    stage = run.stage(Stage(CONVERGE, "Files"))
    run.claim(stage, host, list(host.op_hash_order))
    state.set_stage(StateStage.Execute)
    state.is_executing = True
    executor = Executor(run, cast(Any, SimpleNamespace(check=check)))
    executor.host(stage, host, cast(Any, SimpleNamespace(after=lambda: None, released_at=0.0, batch=0)))
    return executor


def _name(state: State, identity: str) -> str:
    return next(iter(state.op_meta[identity].names))


def tree(root: Path) -> Iterator[str]:
    """All that lies there: kind, mode, content."""
    for path in sorted(root.rglob("*")):
        what = f"-> {path.readlink()}" if path.is_symlink() else path.read_bytes() if path.is_file() else "directory"
        yield f"{path.relative_to(root)} {path.lstat().st_mode & 0o7777:o} {what!r}"


def put(path: Path | str, content: Any = "x\n", owes: Sequence[str] = (), **arguments: Any) -> Any:
    """`files.put`, owned by whoever runs the test."""
    name = arguments.pop("name", f"Write {Path(path).name}")
    return files.put(path=str(path), content=content, owner=USER, group=GROUP, owes=owes, name=name, **arguments)


def directory(path: Path | str, mode: str = "755") -> Any:
    """`files.directory`, likewise."""
    return files.directory(path=str(path), mode=mode, owner=USER, group=GROUP, name=f"Make {Path(path).name}")
