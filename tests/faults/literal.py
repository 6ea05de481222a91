"""What a text is to the program that reads it: its structure, by which a value that became more than a value shows.

A file that is written once with a harmless value and once with a hostile one has the same structure both times, or
the hostile value was read as something else than a value.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

Shape = tuple[Any, ...]


def shape_of(path: str, text: str) -> Shape:
    """The structure of a file, by the language that its place says it is in."""
    if "\0" in text:
        return ("NUL",)
    if path.endswith((".json", "daemon.json")):
        return ("json", _json_shape(json.loads(text)))
    if "/nginx/" in path and path.endswith(".conf"):
        return ("nginx", *_nginx_shape(text))
    if path.endswith(("pg_hba.conf", "users.acl")):
        return ("words", *(_counted_words(line) for line in text.split("\n")))
    if "/postgresql/" in path and path.endswith(".conf"):
        return ("settings", *(_postgres_line(line) for line in text.split("\n")))
    return ("lines", *(_head(line) for line in text.split("\n")))


def _json_shape(value: Any) -> Any:
    if isinstance(value, dict):
        return tuple(sorted((("key", _json_shape(each)) for each in value.values()), key=repr))
    if isinstance(value, list):
        return tuple(_json_shape(each) for each in value)
    return type(value).__name__


_NGINX = re.compile(
    r"""\s+|\#[^\n]*|(?P<end>[;{}])|(?P<word>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|(?:\\.|[^\s;{}])+)""", re.DOTALL
)


def nginx_words(text: str) -> Iterator[str]:
    """The words and marks of nginx's configuration, as its parser cuts them; Lua blocks count as one word."""
    at = 0
    while at < len(text):
        found = _NGINX.match(text, at)
        if found is None:
            yield f"broken at {text[at : at + 20]!r}"
            return
        at = found.end()
        word = found["word"] or found["end"]
        if not word:
            continue
        yield word
        if word.endswith("_by_lua_block"):
            at = _after_block(text, at)
            yield "{lua}"


def _after_block(text: str, at: int) -> int:
    depth, at = 1, text.index("{", at) + 1
    while depth:
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        at += 1
    return at


def _nginx_shape(text: str) -> Iterator[tuple[str, int]]:
    """Each directive with the number of its words, and each end of a block."""
    words: list[str] = []
    for word in nginx_words(text):
        if word in (";", "{", "{lua}"):
            yield (f"{words[0] if words else ''} {word}", len(words))
            words = []
        elif word == "}":
            yield ("}", len(words))
            words = []
        else:
            words.append(word)
    if words:
        yield ("unfinished", len(words))


_QUOTED_WORD = re.compile(r'\s*((?:"(?:[^"]|"")*"|[^\s"])+)')


def _counted_words(line: str) -> tuple[str, int]:
    words = _QUOTED_WORD.findall(line)
    return ("#" if line.startswith("#") else words[0] if words else "", len(words) if not line.startswith("#") else 0)


_SETTING = re.compile(r"(?P<name>[a-z_.0-9]+) = (?:'(?:[^'\\]|''|\\.)*'|[A-Za-z0-9_.-]+)")


def _postgres_line(line: str) -> str:
    found = _SETTING.fullmatch(line)
    if found:
        return found["name"]
    return "#" if line.startswith("#") else f"odd: {line}"


def _head(line: str) -> str:
    """What decides what a line is: the key before an equals sign or colon, or the first word."""
    if line.startswith(("#", "//", ";")):
        return "#"
    found = re.match(r"\s*([^\s=:]*)\s*[=:]?", line)
    return found[1] if found else ""


_SQL = re.compile(
    r"""\s+|--[^\n]*|/\*.*?\*/|(?P<literal>[eE]'(?:[^'\\]|''|\\.)*'|'(?:[^']|'')*')|(?P<name>"(?:[^"]|"")*")"""
    r"""|\$\$.*?\$\$|(?P<word>[A-Za-z_][A-Za-z0-9_]*|[0-9.]+)|(?P<mark>[^\s])""",
    re.DOTALL,
)


def sql_shape(text: str) -> Shape:
    """The tokens of statements: words and marks as they are, literals and quoted names as what they are."""
    if "\0" in text:
        return ("NUL",)
    found = [(match.lastgroup, match[0]) for match in _SQL.finditer(text) if match.lastgroup]
    return tuple(word if kind in ("word", "mark") else f"<{kind}>" for kind, word in found)
