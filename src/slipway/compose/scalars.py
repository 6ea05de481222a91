"""Readers of plain values: text, numbers, booleans, durations, sizes, words of a command, lists and pairs.

Each takes a node and the reading, returns the value, and raises Wrong with what was expected and what was found.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from slipway.compose.nodes import ListNode, MapNode, Node, Scalar, Told, Wrong, described
from slipway.compose.reading import Reading
from slipway.problems import did_you_mean

T = TypeVar("T")
Reader = Callable[[Node, Reading], Any]

_TRUE, _FALSE = {"true", "yes", "on", "y"}, {"false", "no", "off", "n"}
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")  # int() refuses thousands of digits, and no key means that many
_DECIMAL = re.compile(r"[0-9]{1,15}(\.[0-9]{1,15})?|\.[0-9]{1,15}")
_DURATION = re.compile(r"(?:[0-9]{1,12}(?:\.[0-9]{1,9})?(?:us|ms|s|m|h))+")
_DURATION_PART = re.compile(r"([0-9.]+)(us|ms|s|m|h)")
_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_SIZE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,9})?) ?([kmgtp]?)(?:i?b)?", re.IGNORECASE)
_POWER = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}


def scalar(node: Node, expected: str) -> Scalar:
    """The node as a single value that is not empty."""
    if not isinstance(node, Scalar) or node.kind == "null":
        raise Wrong(node.line, f"expected {expected}, found {described(node)}")
    return node


def text(node: Node, reading: Reading) -> str:
    """A string. A number is taken as written (1.10 stays 1.10); a boolean is refused, since a word was meant."""
    found = scalar(node, "a string")
    refuse_boolean(found)
    return reading.text(found)


def refuse_boolean(node: Scalar) -> None:
    """Raises Wrong where YAML 1.1 reads a plain word (yes, no, on, off, true, false) as a boolean."""
    if node.kind == "bool":
        raise Wrong(node.line, f"YAML reads {node.text} as a boolean, a string is expected", f'quote it: "{node.text}"')


def integer(node: Node, reading: Reading) -> int:
    """A whole number, also as the value of a variable."""
    found = reading.text(scalar(node, "a whole number"))
    if not _WHOLE.fullmatch(found):
        raise Wrong(node.line, f"expected a whole number, found {found!r}")
    return int(found)


def number(node: Node, reading: Reading) -> float:
    """A number that may have decimals, also quoted ("0.50")."""
    found = reading.text(scalar(node, "a number"))
    if not _DECIMAL.fullmatch(found):
        raise Wrong(node.line, f"expected a number, found {found!r}")
    return float(found)


def boolean(node: Node, reading: Reading) -> bool:
    """true or false, also as the value of a variable."""
    found = reading.text(scalar(node, "true or false")).lower()
    if found not in _TRUE | _FALSE:
        raise Wrong(node.line, f"expected true or false, found {found!r}")
    return found in _TRUE


def duration(node: Node, reading: Reading) -> float:
    """Seconds of a Compose duration: 1m30s, 10s, 500ms. A bare number is refused: Compose has no unit for it."""
    found = reading.text(scalar(node, "a duration"))
    if _DECIMAL.fullmatch(found) and float(found) != 0:
        raise Wrong(node.line, f"the duration {found} has no unit", f"write {found}s for seconds")
    return _seconds_of(found, node.line)


def seconds(node: Node, reading: Reading) -> float:
    """Seconds where the key says so in its name: a plain number, or a duration."""
    found = reading.text(scalar(node, "seconds"))
    return float(found) if _DECIMAL.fullmatch(found) else _seconds_of(found, node.line)


def _seconds_of(found: str, line: int) -> float:
    if _DECIMAL.fullmatch(found):
        return float(found)
    if not _DURATION.fullmatch(found):
        raise Wrong(line, f"{found!r} is not a duration", "write it like 10s, 1m30s or 500ms")
    return round(sum(float(amount) * _SECONDS[unit] for amount, unit in _DURATION_PART.findall(found)), 6)


def size(node: Node, reading: Reading) -> int:
    """Bytes of a Compose size: 512m, 2gb, 64k, or a bare number of bytes. Powers of 1024, as Docker counts."""
    found = reading.text(scalar(node, "a size"))
    match = _SIZE.fullmatch(found)
    if match is None:
        raise Wrong(node.line, f"{found!r} is not a size", "write it like 512m or 2gb")
    return int(float(match[1]) * 1024 ** _POWER[match[2].lower()])


def one_of(*choices: str) -> Reader:
    """A reader of one word among `choices`."""

    def read(node: Node, reading: Reading) -> str:
        found = text(node, reading)
        if found not in choices:
            raise Wrong(node.line, f"{found!r} is none of {', '.join(choices)}", did_you_mean(found, choices))
        return found

    return read


def matching(pattern: str, expected: str, hint: str = "") -> Reader:
    """A reader of text that has a certain form."""
    form = re.compile(pattern)

    def read(node: Node, reading: Reading) -> str:
        found = text(node, reading)
        if not form.fullmatch(found):
            raise Wrong(node.line, f"{found!r} is not {expected}", hint)
        return found

    return read


def mapping(node: Node) -> MapNode:
    """The node as a mapping."""
    if not isinstance(node, MapNode):
        raise Wrong(node.line, f"expected a mapping, found {described(node)}")
    return node


def listing(node: Node) -> ListNode:
    """The node as a list."""
    if not isinstance(node, ListNode):
        raise Wrong(node.line, f"expected a list, found {described(node)}")
    return node


def list_of(read: Callable[[Node, Reading], T]) -> Callable[[Node, Reading], tuple[T, ...]]:
    """A reader of a list; every item that is wrong is told."""

    def read_all(node: Node, reading: Reading) -> tuple[T, ...]:
        told = len(reading.problems)
        values = [reading.attempt(read, item) for item in listing(node).items]
        if len(reading.problems) > told:
            raise Told
        return tuple(value for value in values if value is not None)

    return read_all


def one_or_list_of(read: Callable[[Node, Reading], T]) -> Callable[[Node, Reading], tuple[T, ...]]:
    """A reader of a list, or of one item written without a list."""
    many = list_of(read)
    return lambda node, reading: many(node, reading) if isinstance(node, ListNode) else (read(node, reading),)


texts = list_of(text)


def words(node: Node, reading: Reading) -> tuple[str, ...]:
    """A command: a list as it is, a string split as a shell would (no variables, no pipes: no shell runs)."""
    if isinstance(node, ListNode):
        return texts(node, reading)
    return split_words(text(node, reading), node.line)


def split_words(command: str, line: int) -> tuple[str, ...]:
    """The words of a command line. Raises Wrong on an open quote."""
    try:
        return tuple(shlex.split(command))
    except ValueError as error:
        raise Wrong(line, f"cannot be split into words: {error}".lower(), "close the quote, or write a list") from None


def pairs(node: Node, reading: Reading) -> dict[str, str]:
    """Names with values: a mapping, or a list of NAME=VALUE."""
    if isinstance(node, ListNode):
        split = (reading.attempt(_pair, item) for item in node.items)
        return dict(pair for pair in split if pair is not None)
    lines = mapping(node).lines
    values = {name: reading.attempt(partial(_value_of, name, lines[name]), value) for name, value in mapping(node)}
    return {name: value for name, value in values.items() if value is not None}


def _value_of(name: str, line: int, node: Node, reading: Reading) -> str:
    _named(name, line)
    return _value(node, reading)


def _pair(node: Node, reading: Reading) -> tuple[str, str]:
    name, _, value = text(node, reading).partition("=")
    return _named(name, node.line), value


def _named(name: str, line: int) -> str:
    """Docker takes NAME=VALUE: a name with an equals sign would be another one, with another value."""
    if not name or "=" in name:
        raise Wrong(line, f"{name!r} is no name: it is empty or has an equals sign in it", "write NAME: value")
    return name


def _value(node: Node, reading: Reading) -> str:
    return "" if isinstance(node, Scalar) and node.kind == "null" else text(node, reading)
