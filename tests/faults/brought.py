"""What a role would do to a host that has nothing yet: every command, with the files and statements it carries."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pyinfra_cli  # noqa: F401 - it patches for gevent, before anything opens a socket
from pyinfra.api import Config, Inventory, State, StringCommand
from pyinfra.api.host import Host
from pyinfra.api.state import StateStage
from pyinfra.connectors.util import CommandOutput, OutputLine
from pyinfra.context import ctx_host, ctx_state

from slipway import seam
from slipway.facts import sysctl
from slipway.ops import files, guarded_script, names, tree
from slipway.ops.postgres import psql
from slipway.seam.connection import NullConnection
from slipway.seam.hosts import with_connector


@dataclass
class Brought:
    """Commands in their order, and what they bring."""

    commands: list[list[str]] = field(default_factory=list)
    """Words as the host's shell gets them: `sh -c SCRIPT slipway ARGUMENT...`."""
    raw: list[str] = field(default_factory=list)
    """The same as one line each."""
    files: dict[str, str] = field(default_factory=dict)
    """Path to text."""
    statements: list[str] = field(default_factory=list)
    """SQL."""


BUILDS = {"Bring the image", "Bring the migration's image"}
"""Operations that ask this machine's own engine; what they ask it goes through its interface, not through a shell."""


class Listening(NullConnection):
    """Has nothing, and remembers what was asked."""

    asked: list[StringCommand]

    def run_shell_command(self, command: StringCommand, *args: Any, **arguments: Any) -> tuple[bool, CommandOutput]:
        self.asked.append(command)
        words = words_of(command)
        if sysctl._SCRIPT in words:
            paths = words[words.index("slipway") + 1 :]  # of a kernel that has every setting
            lines = ["own", *(f"-rw-r--r-- {path}" for path in paths), *(f"{path}:0" for path in paths)]
            return True, CommandOutput([OutputLine("stdout", line) for line in lines])
        return True, CommandOutput([])


def words_of(command: StringCommand) -> list[str]:
    """The words before they are quoted."""
    return [str(getattr(bit, "obj", bit)) for bit in command.bits]


class Nobody:
    """A host that is not there: operations are prepared for it, and told what they would run."""

    def __init__(self, *names: str) -> None:
        """The first of these names is the host; others are there to be asked."""
        seam.install()
        inventory = with_connector(Inventory((list(names) or ["host"], {})), Listening)
        self.state = State(inventory, Config(), check_for_changes=False)
        self.state.set_stage(StateStage.Prepare)
        self.host: Host = next(iter(self.state.inventory))
        self._asked: list[StringCommand] = []
        for each in self.state.inventory:
            each.connected, each.connector.asked = True, self._asked  # type: ignore[attr-defined]

    def brought(self, tasks: Callable[[], object]) -> Brought:
        """What these operations would run, facts included."""
        self._forget()
        found = Brought()
        with ctx_state.use(self.state), ctx_host.use(self.host):
            tasks()
            for identity in self.host.op_hash_order:
                if self.state.get_op_meta(identity).names & BUILDS:
                    continue
                for command in self._commands(identity):
                    _note(command, found)
        for command in self._asked:
            _note(command, found)
        return found

    def _commands(self, identity: str) -> Iterator[StringCommand]:
        self.host.current_op_hash = identity
        for command in self.state.ops[self.host][identity].command_generator():
            if isinstance(command, StringCommand):
                yield command

    def _forget(self) -> None:
        self.host.op_hash_order.clear()
        self.host.connector_data.clear()
        self._asked.clear()
        self.state.ops[self.host].clear()
        self.state.op_meta.clear()


def _note(command: StringCommand, found: Brought) -> None:
    raw = command.get_raw_value()
    words = words_of(command)
    found.raw.append(raw)
    found.commands.append(words)
    words = _without_guard(words)
    stdin = command.connector_arguments.get("_stdin")
    data = stdin if isinstance(stdin, bytes) else b"".join(stdin or ())
    text = words[words.index("-c") + 1] if "-c" in words else ""
    arguments = words[words.index("slipway") + 1 :] if "slipway" in words else []
    if text == files._PUT:
        found.files[arguments[0]] = data.partition(b"\n")[2].decode()
    elif text == tree._STAGE or "tar --extract" in text:
        found.files |= {f"{arguments[0]}/{name}": content for name, content in _unpacked(data)}
    elif text == names._WRITE:
        found.files[arguments[0]] = data.decode()
    elif text == psql._RUN:
        found.statements.append(data.decode())
    elif data:
        found.files[f"input of {text[:40]!r}"] = data.decode()


def _without_guard(words: list[str]) -> list[str]:
    """A step of a guarded change as it would stand alone."""
    return words[words.index(guarded_script.STEP) + 4 :] if guarded_script.STEP in words else words


def _unpacked(data: bytes) -> Iterator[tuple[str, str]]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for member in archive:
            content = archive.extractfile(member) if member.isfile() else None
            if content:
                yield member.name, content.read().decode()
