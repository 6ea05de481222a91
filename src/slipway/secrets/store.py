"""Writing secrets: the file that an inventory's source is, swapped whole or left as it is."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from slipway.secrets.document import changed, entries
from slipway.secrets.reading import SourceUnreadable
from slipway.secrets.sources import kind_of, refuse_readable_by_others, text_of
from slipway.secrets.versions import Edit

ELSEWHERE = {
    "env": "set the variable where the command is started",
    "command": "change it by that program, as `pass edit` or `sops edit`",
}
"""Kinds of source that cannot be written, and what to do instead."""


@dataclass(frozen=True)
class Store:
    """A file of secrets that can be written: plain, its owner's alone, or encrypted."""

    name: str
    """As group_data names it."""
    path: Path
    is_encrypted: bool

    def text(self) -> str:
        """What it holds, readable. Raises SourceUnreadable."""
        if self.is_encrypted:
            from slipway.secrets import age

            return age.decrypted(self.path, self.name)
        text = text_of(self.path, self.name)
        refuse_readable_by_others(self.path, self.name)
        return text

    def names(self) -> list[str]:
        """Every entry of it. Raises SourceUnreadable."""
        return list(entries(self.text(), self.name))

    def edit(self, edit: Edit) -> None:
        """Writes or takes out these entries; the rest stays. Raises SourceUnreadable, and nothing is changed then."""
        with self._alone():
            self._swap(changed(self.text(), edit, self.name))

    def replace(self, old: str, new: str) -> None:
        """The text becomes the new one. Raises SourceUnreadable where it is not the old one any more."""
        with self._alone():
            if self.path.exists() and self.text() != old:
                raise SourceUnreadable(f"{self.name} was changed by somebody else meanwhile", "do it again")
            self._swap(new)

    def _swap(self, text: str) -> None:
        entries(text, self.name)  # what could not be read again is not written
        data = text.encode()
        if self.is_encrypted:
            from slipway.secrets import age

            data = age.encrypted(text, self.path, self.name)
        write_whole(self.path, data, 0o644 if self.is_encrypted else 0o600)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """One writer at a time: what it read is what it replaces."""
        try:
            folder = os.open(self.path.resolve().parent, os.O_RDONLY)
        except OSError as error:
            raise SourceUnreadable(f"{self.name} cannot be written: {error.strerror}", "make its directory") from None
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)  # held for milliseconds
            yield
        finally:
            fcntl.flock(folder, fcntl.LOCK_UN)  # by name: gevent's os.close may leave closing to a later moment
            os.close(folder)


def store_of(spec: str, root: Path) -> Store:
    """The file behind a source. Raises SourceUnreadable for a source that is none, or that cannot be written."""
    kind, rest = kind_of(spec)
    if kind in ELSEWHERE:
        raise SourceUnreadable(f"a source of the kind {kind}: is not written by Slipway", ELSEWHERE[kind])
    return Store(rest, root / rest, kind == "age")


def write_whole(path: Path, data: bytes, mode: int) -> None:
    """The file holds this, or still what it held: never a part. An existing one keeps its mode; a link stays one.

    Raises SourceUnreadable where it cannot be written.
    """
    path = path.resolve()
    try:
        mode = path.stat().st_mode & 0o7777 if path.exists() else mode
        handle, new = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fchmod(file.fileno(), mode)
                os.fsync(file.fileno())
            Path(new).replace(path)
        except BaseException:
            Path(new).unlink(missing_ok=True)
            raise
        _sync(path.parent)
    except OSError as error:
        raise SourceUnreadable(f"{path.name} cannot be written: {error.strerror}", "see its directory") from None


def _sync(folder: Path) -> None:
    """A rename outlives a loss of power once its directory is on disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
