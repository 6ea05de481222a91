"""YAML with its line numbers: what is written, before anybody says what it means.

Merge keys (`<<`) and aliases are already applied; an entry that came in by a merge keeps the line of the fragment it
was written in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import yaml

MARK_OPEN, MARK_CLOSE = "\ue000", "\ue001"
"""Private-use characters that stand around a variable's name where its value must not be put in (a secret)."""

_NO_TEXT = re.compile("[\0\ud800-\udfff]")
_STANDARD = "tag:yaml.org,2002:"
_SCALARS = ("str", "int", "float", "bool", "null", "timestamp", "value", "merge")
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, at a line. `file` only where it is another one than the Compose file."""

    line: int
    what: str
    hint: str = ""
    file: str = ""


class Wrong(Exception):
    """Ends the reading of one value. Collected by whoever reads the next one, so that all are told at once."""

    def __init__(self, line: int, what: str, hint: str = "", file: str = "") -> None:
        self.finding = Finding(line, what, hint, file)
        super().__init__(what)


class Told(Exception):
    """Ends the reading of a value whose problems are written down already."""


@dataclass(frozen=True, eq=False)
class Scalar:
    """A single value: its text exactly as written, and what kind YAML 1.1 takes a plain one for."""

    text: str
    kind: str
    line: int


@dataclass(frozen=True, eq=False)
class ListNode:
    """A sequence."""

    items: tuple[Node, ...]
    line: int


@dataclass(frozen=True, eq=False)
class MapNode:
    """A mapping; keys in the order of the file."""

    entries: Mapping[str, Node]
    lines: Mapping[str, int]
    line: int

    def __iter__(self) -> Iterator[tuple[str, Node]]:
        return iter(self.entries.items())


Node = Scalar | ListNode | MapNode


def described(node: Node) -> str:
    """What a value is, for an error message: "a list", "a mapping", "nothing", or the text itself."""
    if isinstance(node, ListNode):
        return "a list"
    if isinstance(node, MapNode):
        return "a mapping"
    return "nothing" if node.kind == "null" else repr(node.text)


def parse(text: str) -> tuple[Node, list[Finding]]:
    """The document, and what is wrong with it without making it unreadable (duplicate keys, foreign tags).

    Raises Wrong where it is not YAML at all.
    """
    try:
        root = yaml.compose(text, Loader=_Loader)
        if root is None:
            raise Wrong(1, "the file is empty", "a Compose file needs at least `services:`")
        builder = _Builder()
        return builder.node(root), builder.findings
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = error.problem or error.context or "unreadable"
        line = mark.line + 1 if mark else 1
        raise Wrong(line, f"not valid YAML: {problem}", _yaml_hint(text, line)) from None
    except yaml.YAMLError as error:
        line = text.count("\n", 0, getattr(error, "position", 0) or 0) + 1
        raise Wrong(line, f"not valid YAML: {getattr(error, 'reason', error)}") from None
    except RecursionError:
        raise Wrong(1, "nested too deeply to be a Compose file") from None


def _yaml_hint(text: str, line: int) -> str:
    written = (text.splitlines() or [""])[line - 1 : line]
    if written and "\t" in written[0][: len(written[0]) - len(written[0].lstrip())]:
        return "YAML is indented with spaces; replace the tab"
    return "look at the indentation, quotes and colons of this line and the one above"


@dataclass
class _Builder:
    findings: list[Finding] = field(default_factory=list)
    _built: dict[int, Node] = field(default_factory=dict)
    _open: set[int] = field(default_factory=set)

    def node(self, node: yaml.Node) -> Node:
        """Aliases share one object in the graph, so each is built once however often it is used."""
        key = id(node)
        if key in self._open:
            raise Wrong(node.start_mark.line + 1, "an anchor that contains itself")
        if key not in self._built:
            self._open.add(key)
            self._built[key] = self._build(node)
            self._open.discard(key)
        return self._built[key]

    def _build(self, node: yaml.Node) -> Node:
        line = node.start_mark.line + 1
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, line)
        self._check_tag(node, ("seq", "map"), line)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, line)
        return ListNode(tuple(self.node(item) for item in node.value), line)

    def _check_tag(self, node: yaml.Node, known: tuple[str, ...], line: int) -> None:
        tag = str(node.tag)
        if tag.removeprefix(_STANDARD) in known and tag.startswith(_STANDARD):
            return
        hint = "!reset and !override merge several Compose files; Slipway reads one" if tag[:2] in ("!r", "!o") else ""
        self.findings.append(Finding(line, f"the YAML tag {tag!r} is not supported", hint or "remove the tag"))

    def _scalar(self, node: yaml.ScalarNode, line: int) -> Scalar:
        self._check_tag(node, _SCALARS, line)
        kind = str(node.tag).removeprefix(_STANDARD)
        return Scalar(node.value, kind if kind in _SCALARS else "str", line)

    def _mapping(self, node: yaml.MappingNode, line: int) -> MapNode:
        entries: dict[str, Node] = {}
        lines: dict[str, int] = {}
        merged: list[MapNode] = []
        seen: dict[str, int] = {}
        for key_node, value_node in node.value:
            key, at = self._key(key_node, seen)
            value = self.node(value_node)
            if key == "<<" and key_node.tag == _STANDARD + "merge":
                merged += self._merged(value)
            elif key not in entries:
                entries[key], lines[key] = value, at
        for fragment in merged:
            for key, value in fragment:
                if key not in entries:
                    entries[key], lines[key] = value, fragment.lines[key]
        return MapNode(entries, lines, line)

    def _key(self, node: yaml.Node, seen: dict[str, int]) -> tuple[str, int]:
        line = node.start_mark.line + 1
        if not isinstance(node, yaml.ScalarNode):
            raise Wrong(line, "a key must be a single word, not a list or a mapping")
        key = str(node.value)
        if _NO_TEXT.search(key):
            self.findings.append(Finding(line, f"the key {key!r} holds a character that no name can have", "remove it"))
        if key in seen:
            what = f"the key {key!r} is given twice: at line {seen[key]} and at line {line}"
            hint = "write `<<: [*first, *second]`" if key == "<<" else "keep one of them"
            self.findings.append(Finding(line, what, hint))
        seen.setdefault(key, line)
        return key, line

    def _merged(self, value: Node) -> list[MapNode]:
        if isinstance(value, MapNode):
            return [value]
        if isinstance(value, ListNode) and all(isinstance(item, MapNode) for item in value.items):
            return [item for item in value.items if isinstance(item, MapNode)]
        self.findings.append(Finding(value.line, f"`<<` merges mappings, found {described(value)}"))
        return []
