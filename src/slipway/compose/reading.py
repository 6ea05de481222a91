"""What every reader of a value needs: where it is, the variables, and somewhere to put what is wrong."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from slipway.compose.interpolation import BadVariable, interpolate
from slipway.compose.nodes import MARK_CLOSE, MARK_OPEN, Finding, MapNode, Node, Scalar, Told, Wrong
from slipway.problems import Problems
from slipway.role import LONGEST_TEXT

T = TypeVar("T")

_MARK = re.compile(f"{MARK_OPEN}([A-Za-z_][A-Za-z0-9_]*){MARK_CLOSE}")
_SURROGATE = re.compile("[\ud800-\udfff]")
_SHORTEST_SECRET = 8  # a shorter secret value would be found by chance inside ordinary words


class Reading:
    """The reading of one file: collects every problem with its file and line, and every note.

    A reader raises Wrong for its value; `attempt` writes it down under the key path and goes on with the next.
    `secret_names` are variables whose values may not be shown: those of the secret source, and those the file itself
    uses as one.
    """

    def __init__(self, path: Path, variables: Mapping[str, str], secret_names: Collection[str]) -> None:
        self.directory = path.parent
        self.label = labelled(path)
        self.variables = dict(variables)
        self.secret_source = frozenset(secret_names)
        self.secret_names = set(secret_names)
        self.problems = Problems()
        self.notes: list[str] = []
        self.root: Node = MapNode({}, {}, 1)
        self._path: list[str] = []

    @contextmanager
    def under(self, *keys: str) -> Iterator[None]:
        """Names what is being read, for the messages of what happens inside."""
        self._path += keys
        try:
            yield
        finally:
            del self._path[len(self._path) - len(keys) :]

    @property
    def path(self) -> tuple[str, ...]:
        """Keys from the top of the file down to what is being read."""
        return tuple(self._path)

    def report(self, finding: Finding) -> None:
        prefix = ".".join(self._path)
        what = f"{prefix}: {finding.what}" if prefix and not finding.file else finding.what
        self.problems.add(f"{finding.file or self.label}:{finding.line}", what, finding.hint)

    def attempt(self, read: Callable[[Node, Reading], T], node: Node) -> T | None:
        """The value, or None after writing down what is wrong with it."""
        try:
            return read(node, self)
        except Wrong as wrong:
            self.report(wrong.finding)
        except Told:
            pass
        return None

    def note(self, line: int, text: str) -> None:
        """Something that was accepted and yet the operator should know."""
        prefix = ".".join(self._path)
        said = f"{self.label}:{line}: {prefix + ': ' if prefix else ''}{text}"
        if said not in self.notes:
            self.notes.append(said)

    def line(self, *path: str) -> int:
        """The line of what stands at `path`, or of the nearest thing above it that exists."""
        node: Node = self.root
        line = node.line
        for key in path:
            if not isinstance(node, MapNode) or key not in node.entries:
                break
            line, node = node.lines[key], node.entries[key]
        return line

    def declared(self, section: str) -> tuple[str, ...]:
        """Names that stand in a top-level section of the file."""
        found = self.root.entries.get(section) if isinstance(self.root, MapNode) else None
        return tuple(found.entries) if isinstance(found, MapNode) else ()

    def text(self, node: Scalar) -> str:
        """The text with variables replaced. Raises Wrong on a missing variable, and on a secret: it would be shown."""
        text = self.interpolated(node.text, node.line, self.is_secret)
        self.refuse_secrets(text, node.line)
        return text

    def marked(self, node: Scalar) -> str:
        """The text with every variable left as a mark: for values of native roles, which may name a secret."""
        return self.interpolated(node.text, node.line, lambda name: name in self.variables or name in self.secret_names)

    def is_secret(self, name: str) -> bool:
        """Whether this variable's value may not be shown."""
        return name in self.secret_names

    def interpolated(
        self,
        text: str,
        line: int,
        is_marked: Callable[[str], bool],
        file: str = "",
        beneath: Mapping[str, str] | None = None,
    ) -> str:
        """`text` with variables replaced, or marked where `is_marked` says so; `beneath` answers where none is set."""

        def lookup(name: str) -> str | None:
            if is_marked(name):
                return f"{MARK_OPEN}{name}{MARK_CLOSE}"
            return self.variables.get(name, (beneath or {}).get(name))

        refuse_unprintable(text, line, file)
        try:
            return interpolate(text, lookup)
        except BadVariable as bad:
            raise Wrong(line, str(bad), bad.hint, file) from None

    def unmarked(self, text: str, line: int) -> str:
        """Marks replaced by their values. Raises Wrong where one is a secret."""
        text = _MARK.sub(
            lambda mark: self.variables.get(mark[1], "") if mark[1] not in self.secret_names else mark[0], text
        )
        self.refuse_secrets(text, line)
        return text

    def refuse_secrets(self, text: str, line: int, file: str = "") -> None:
        """Raises Wrong where a secret's mark or its value stands in `text`; names it, never its value."""
        found = _MARK.search(text)
        name = found[1] if found else next((name for name in self._secret_values() if self.variables[name] in text), "")
        if name:
            raise Wrong(line, *self.secret_shown(name), file)

    def secret_shown(self, name: str) -> tuple[str, str]:
        """What is wrong with a secret's value standing where it is, and what to do instead."""
        key = self._path[2] if len(self._path) > 2 else (self._path[-1] if self._path else "the file")
        shown = "stays in the image" if key == "build" else "shows in docker inspect"
        what = f"a secret ({name}) in `{key}` {shown}"
        return what, f"use `secrets:` and read /run/secrets/{name}, or {name}_FILE"

    def _secret_values(self) -> Iterator[str]:
        for name in sorted(self.secret_names):
            if len(self.variables.get(name, "")) >= _SHORTEST_SECRET:
                yield name


def variable_of(text: str) -> str:
    """The variable's name where `text` is nothing but its mark; an empty string otherwise."""
    found = _MARK.fullmatch(text)
    return found[1] if found else ""


def absolute(path: Path) -> Path:
    """The path from the root, without dots. Links are left as they are, so a loop of them is no error here."""
    return Path(os.path.abspath(path))  # noqa: PTH100 - resolve() follows links


def is_there(path: Path, kind: Callable[[Path], bool]) -> bool:
    """Whether `kind` (Path.is_file, Path.is_dir) holds; a name the file system cannot have is not there."""
    try:
        return kind(path)
    except (OSError, ValueError):
        return False


def labelled(path: Path) -> str:
    """The path as a person types it: relative to the working directory where it lies beneath it."""
    resolved, here = absolute(path), Path.cwd()
    return str(resolved.relative_to(here)) if resolved.is_relative_to(here) else str(path)


def refuse_unprintable(text: str, line: int, file: str) -> None:
    if len(text) > LONGEST_TEXT:
        raise Wrong(line, f"has {len(text)} characters; a value has {LONGEST_TEXT} at most", "make a file of it", file)
    for character in ("\0", MARK_OPEN, MARK_CLOSE):
        if character in text:
            raise Wrong(line, f"contains the character U+{ord(character):04X}", "remove it", file)
    if _SURROGATE.search(text):
        raise Wrong(line, "contains half a surrogate pair, which is no character", "remove it", file)
