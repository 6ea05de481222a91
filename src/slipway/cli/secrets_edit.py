"""secrets edit: the whole source in an editor, in memory only."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from slipway.cli.outcome import truthful  # first: it patches for gevent

# isort: split
import click

from slipway.engine.secret_source import Source, needed, source_of
from slipway.problems import BadInput, Problem
from slipway.secrets import SourceUnreadable
from slipway.secrets.document import entries
from slipway.secrets.sources import text_of


@click.command()
@click.argument("inventory")
def edit(inventory: str) -> None:
    """All secrets in $VISUAL or $EDITOR: a file in memory, its owner's alone, that is removed whatever happens."""
    with truthful():
        source = needed(source_of(inventory))
        store = source.store()
        with source.refusing():
            before = store.text()
        after = _edited(before, source)
        if after == before:
            click.echo(f"{store.name} is as it was")
            return
        with source.refusing():
            store.replace(before, after)
    click.echo(f"{store.name} is changed; ./slipway deploy {inventory} brings it")


def _edited(text: str, source: Source) -> str:
    """What the editor leaves, once it can be read. Raises BadInput where the editor fails or the text stays wrong."""
    with _in_memory() as folder:
        file = folder / "secrets.yaml"
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
            out.write(text)
        while True:
            _run_editor(file)
            try:
                after = text_of(file, "what you wrote")
                entries(after, "what you wrote")
                return after
            except SourceUnreadable as error:
                problem = Problem(source.place, error.what, error.hint)
            if not (sys.stdin.isatty() and click.confirm(f"{problem}\nEdit again?", default=True, err=True)):
                raise BadInput([problem])


def _run_editor(file: Path) -> None:
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    # Ctrl-C belongs to the editor while it runs, as with git: it must not end us over its head.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        code = subprocess.run([*shlex.split(editor), str(file)], check=False).returncode
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise BadInput([Problem(f"editor {editor}", why, "set EDITOR to one that is there")]) from None
    finally:
        signal.signal(signal.SIGINT, before)
    if code:
        raise BadInput([Problem(f"editor {editor}", f"ended with {code}: nothing was changed", "do it again")])


@contextmanager
def _in_memory() -> Iterator[Path]:
    """A directory of nobody else's in memory, removed at the end: by SIGTERM and a closed terminal as well."""
    folder = Path(tempfile.mkdtemp(prefix="slipway-", dir=_memory()))
    before = {number: signal.signal(number, _ended) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        for number, handler in before.items():
            signal.signal(number, handler)


def _ended(number: int, frame: object) -> NoReturn:
    sys.exit(128 + number)


MEMORY = ("tmpfs", "ramfs")
"""Kinds of file systems that are on no disk."""


def _memory() -> str:
    """A directory that is on no disk. Raises BadInput where there is none."""
    mounts = [line.split()[1:3] for line in _mounts().splitlines() if len(line.split()) > 2]
    kinds = dict(mounts)
    for folder in ("/dev/shm", os.environ.get("XDG_RUNTIME_DIR", "")):  # noqa: S108 - a directory of our own in it
        if folder and kinds.get(folder) in MEMORY and os.access(folder, os.W_OK):
            return folder
    hint = "change one secret at a time: ./slipway secrets set INVENTORY NAME"
    raise BadInput([Problem("secrets edit", "there is no directory in memory (/dev/shm) to edit in", hint)])


def _mounts() -> str:
    try:
        return Path("/proc/mounts").read_text()
    except OSError:  # a system without it has no /dev/shm either
        return ""
