"""The text that secret files hold: YAML lines of `name: value`, read as they are written, changed in place."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping

import yaml

from slipway.problems import conflict_line
from slipway.secrets.reading import SourceUnreadable, Unusable


def entries(text: str, name: str) -> dict[str, yaml.Node]:
    """Name to what stands under it, unread: a password of 0123 or yes is to stay what it is.

    `name` is the file's, for errors. Raises SourceUnreadable, never with a word of what is in it.
    """
    return {key: value for key, _, value in _pairs(text, name)}


def _pairs(text: str, name: str) -> list[tuple[str, yaml.Node, yaml.Node]]:
    if line := conflict_line(text):
        raise SourceUnreadable(f"{name}:{line} is in the middle of a merge", "take one side and remove the marks")
    root = _root(text, name)
    if root is None:
        return []
    if not isinstance(root, yaml.MappingNode):
        raise SourceUnreadable(f"{name} must hold `name: value` lines", "one secret a line, its name before the colon")
    found: list[tuple[str, yaml.Node, yaml.Node]] = []
    for key, value in root.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            raise SourceUnreadable(f"{name}:{line} has no name before its colon", "each line reads `name: value`")
        if any(key.value == other for other, *_ in found):
            raise SourceUnreadable(f"{name}:{line} gives {key.value!r} a second value", "keep one of the two")
        found.append((key.value, key, value))
    return found


def _root(text: str, name: str) -> yaml.Node | None:
    try:
        return yaml.compose(text, Loader=yaml.BaseLoader)
    except (yaml.YAMLError, RecursionError) as error:
        # The parser's own message would quote the line, and with it the secret.
        mark = getattr(error, "problem_mark", None)
        place = f"{name}:{mark.line + 1}" if mark else name
        raise SourceUnreadable(f"{place} is not valid YAML", "each line reads `name: value`") from None


def scalar(node: yaml.Node) -> str:
    """The text of a value as it is written. Raises Unusable."""
    if not isinstance(node, yaml.ScalarNode):
        raise Unusable("is a list or a mapping, not text")
    if not node.tag.startswith("tag:yaml.org,") or node.value.startswith("ENC["):
        raise Unusable("is still encrypted")
    is_null = node.style is None and node.value.lower() in ("", "~", "null")
    return "" if is_null else str(node.value)


def changed(text: str, edit: Mapping[str, str | None], name: str) -> str:
    """The text with these entries written or taken out, and every other line as it was.

    A file whose lines cannot be told apart is written anew, without its comments. Raises SourceUnreadable.
    """
    wanted = {key: value for key, value in {**_values(text, name), **edit}.items() if value is not None}
    for candidate in (_in_place(text, edit, name), "".join(_line(key, value) for key, value in wanted.items())):
        if _holds(candidate, wanted, name):
            return candidate
    raise SourceUnreadable(f"{name} cannot hold that", "a name of letters, digits, . _ - and a value of printable text")


def _values(text: str, name: str) -> dict[str, str]:
    found = {}
    for key, node in entries(text, name).items():
        try:
            found[key] = scalar(node)
        except Unusable as error:
            raise SourceUnreadable(f"{name}: {key!r} {error}", "write it as text, in an editor") from None
    return found


def _in_place(text: str, edit: Mapping[str, str | None], name: str) -> str:
    spans = _spans(text, name)
    for key, (start, end) in reversed(spans.items()):
        if key in edit:
            text = text[:start] + _line(key, edit[key]) + text[end:]
    new = "".join(_line(key, value) for key, value in edit.items() if key not in spans)
    return text + ("\n" if new and text and not text.endswith("\n") else "") + new


def _spans(text: str, name: str) -> dict[str, tuple[int, int]]:
    """Where each entry begins and ends: whole lines, so far as they are its own."""
    found = {}
    for key, first, last in _pairs(text, name):
        end = text.find("\n", max(last.end_mark.index - 1, first.end_mark.index))
        found[key] = first.start_mark.index, len(text) if end < 0 else end + 1
    return found


def _holds(text: str, wanted: Mapping[str, str], name: str) -> bool:
    """Whether the text reads as exactly these values."""
    try:
        return _values(text, name) == dict(wanted)
    except SourceUnreadable:
        return False


def _line(key: str, value: str | None) -> str:
    """One line whatever the value: in double quotes, with escapes."""
    if value is None:
        return ""
    return f"{key if _PLAIN.fullmatch(key) else _quoted(key)}: {_quoted(value)}\n"


def _quoted(text: str) -> str:
    return yaml.safe_dump(text, default_style='"', allow_unicode=True, width=sys.maxsize).rstrip("\n")


_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*")
