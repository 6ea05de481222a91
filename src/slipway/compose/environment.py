"""Readers of `environment` and `env_file`, and of files in the form of `.env`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from slipway.compose.nodes import ListNode, MapNode, Node, Scalar, Wrong
from slipway.compose.reading import Reading, is_there, labelled, refuse_unprintable
from slipway.compose.scalars import boolean, mapping, refuse_boolean, scalar, text
from slipway.compose.table import Key, Table

_LINE = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_.-]*)\s*(?:=\s*(.*))?")
_DOUBLE = re.compile(r'"((?:[^"\\]|\\.)*)"\s*(?:#.*)?')
_SINGLE = re.compile(r"'([^']*)'\s*(?:#.*)?")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\", "$": "$$"}
_FORM = "write NAME=value, one for each line"

Take = Callable[[str, Scalar, Reading], str]

ENV_FILE = Table(
    supported={"path": Key("path", text), "required": Key("required", boolean), "format": Key("format", text)},
)


def environment(node: Node, reading: Reading) -> dict[str, str]:
    """Variables of a process. One without a value is taken from the variables of the deploy."""
    return _variables(node, reading, _plain)


def marked_environment(node: Node, reading: Reading) -> dict[str, str]:
    """The same for a native role: values still have their marks, since some of them name a secret."""
    return _variables(node, reading, lambda name, found, reading: reading.marked(found))


def _plain(name: str, found: Scalar, reading: Reading) -> str:
    if name in reading.secret_names:
        raise Wrong(found.line, *reading.secret_shown(name))
    return reading.text(found)


def _variables(node: Node, reading: Reading, take: Take) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in _written(node, reading):
        with reading.under(name):
            got = reading.attempt(partial(_value, name, take), value)
        if got is not None:
            found[name] = got
    return found


def _written(node: Node, reading: Reading) -> list[tuple[str, Node]]:
    if not isinstance(node, ListNode):
        return list(mapping(node))
    items = (reading.attempt(_item, item) for item in node.items)
    return [item for item in items if item is not None]


def _item(node: Node, reading: Reading) -> tuple[str, Node]:
    found = scalar(node, "NAME=value")
    name, equals, value = found.text.partition("=")
    return name, Scalar(value, "str" if equals else "null", node.line)


def _value(name: str, take: Take, node: Node, reading: Reading) -> str:
    if not name or "=" in name or "\0" in name:
        raise Wrong(node.line, f"{name!r} is not the name of a variable", _FORM)
    if isinstance(node, Scalar) and node.kind == "null" and name.isidentifier():
        node = Scalar(f"${{{name}}}", "str", node.line)
    found = scalar(node, "a string")
    refuse_boolean(found)
    return take(name, found, reading)


def env_files(node: Node, reading: Reading) -> dict[str, str]:
    """Variables of all the files, later ones over earlier ones."""
    found: dict[str, str] = {}
    for item in node.items if isinstance(node, ListNode) else (node,):
        found.update(reading.attempt(_env_file, item) or {})
    return found


def _env_file(node: Node, reading: Reading) -> dict[str, str]:
    values = ENV_FILE.read(node, reading) if isinstance(node, MapNode) else {"path": text(node, reading)}
    if "path" not in values:
        raise Wrong(node.line, "`path` is missing")
    if values.get("format") not in (None, "raw"):
        raise Wrong(node.line, f"the format {values['format']!r} is not supported", "remove `format`")
    path = reading.directory / str(values["path"])
    if not is_there(path, Path.is_file):
        if values.get("required") is False:
            return {}
        raise Wrong(node.line, f"the file {values['path']} does not exist", "make it, or write `required: false`")
    return read_env_file(path, reading, refuse_secrets=True, raw="format" in values)


def read_env_file(path: Path, reading: Reading, *, refuse_secrets: bool, raw: bool = False) -> dict[str, str]:
    """The variables of a file in the form of `.env`. Raises Wrong, with that file and line, at the first bad line."""
    found: dict[str, str] = {}
    for number, line in enumerate(_read(path).splitlines(), 1):
        stripped = line.strip()
        if stripped and not stripped.startswith("#"):
            name, value = _parsed(stripped, number, path, reading, found, raw)
            if refuse_secrets and name in reading.secret_names:
                raise Wrong(number, *reading.secret_shown(name), labelled(path))
            if refuse_secrets:
                reading.refuse_secrets(value, number, labelled(path))
            found[name] = value
    return found


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise Wrong(1, f"cannot be read: {_reason(error)}", "", labelled(path)) from None


def _reason(error: OSError | UnicodeDecodeError) -> str:
    return "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error.strerror)


def _parsed(
    line: str, number: int, path: Path, reading: Reading, above: Mapping[str, str], raw: bool
) -> tuple[str, str]:
    match = _LINE.fullmatch(line)
    if match is None:
        raise Wrong(number, "is not NAME=value", _FORM, labelled(path))
    name, written = match[1], match[2]
    if raw and written is not None:
        refuse_unprintable(written, number, labelled(path))
        return name, written
    return name, _unquoted(f"${{{name}}}" if written is None else written, number, path, reading, above)


def _unquoted(written: str, number: int, path: Path, reading: Reading, above: Mapping[str, str]) -> str:
    single, double = _SINGLE.fullmatch(written), _DOUBLE.fullmatch(written)
    if single:
        return single[1]
    if not double and written[:1] in ("'", '"'):
        raise Wrong(number, "a quote is opened and not closed", "close it on the same line", labelled(path))
    plain = _unescaped(double[1]) if double else re.split(r"\s#", written, maxsplit=1)[0].rstrip()
    return reading.interpolated(plain, number, reading.is_secret, labelled(path), above)


def _unescaped(written: str) -> str:
    return re.sub(r"\\(.)", lambda match: _ESCAPES.get(match[1], match[0]), written)
