"""A table of keys: every key of the specification is read, refused with what to do instead, or accepted with a note."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from slipway.compose.nodes import Finding, MapNode, Node, Scalar, Told, Wrong
from slipway.compose.reading import Reading
from slipway.compose.scalars import Reader, mapping
from slipway.problems import did_you_mean

Model = TypeVar("Model", bound=BaseModel)

_LIMITS = {
    "greater_than_equal": ("ge", "must be at least {}"),
    "greater_than": ("gt", "must be more than {}"),
    "less_than_equal": ("le", "must be at most {}"),
    "less_than": ("lt", "must be less than {}"),
    "too_short": ("min_length", "needs at least {}"),
}


@dataclass(frozen=True)
class Key:
    """A supported key: the field of the model it becomes, and its reader."""

    attribute: str
    read: Reader


@dataclass(frozen=True)
class Refusal:
    """A key of the specification that Slipway does not take."""

    why: str
    instead: str


@dataclass(frozen=True)
class Table:
    """The keys of one kind of mapping. A key stands in exactly one of the three."""

    supported: Mapping[str, Key]
    refused: Mapping[str, Refusal] = field(default_factory=dict)
    noted: Mapping[str, str] = field(default_factory=dict)
    allows_extensions: bool = True

    def read(self, node: Node, reading: Reading) -> dict[str, Any]:
        """Values by field name. What is wrong with each key is written down; only a wrong shape is raised."""
        found = mapping(node)
        values: dict[str, Any] = {}
        for name, value in found:
            with reading.under(name):
                self._read_key(name, value, found.lines[name], reading, values)
        return values

    def _read_key(self, name: str, node: Node, line: int, reading: Reading, values: dict[str, Any]) -> None:
        if name in self.supported:
            self._read_supported(self.supported[name], node, reading, values)
        elif name in self.refused:
            refusal = self.refused[name]
            reading.report(Finding(line, f"not supported: {refusal.why}", refusal.instead))
        elif name in self.noted:
            reading.note(line, self.noted[name])
        elif not (name.startswith("x-") and self.allows_extensions and name != "x-slipway"):
            reading.report(
                Finding(line, "unknown key", did_you_mean(name, [*self.supported, *self.refused, *self.noted]))
            )

    def _read_supported(self, key: Key, node: Node, reading: Reading, values: dict[str, Any]) -> None:
        if isinstance(node, Scalar) and node.kind == "null":
            return  # the specification takes a key without a value for a key that is not there
        value = reading.attempt(key.read, node)
        if value is not None:
            values[key.attribute] = value

    def build(self, model: type[Model], node: Node, reading: Reading, **given: Any) -> Model:
        """The model made of this mapping. Raises Told where anything in it is wrong, after writing down all of it."""
        told = len(reading.problems)
        made = self.made(model, self.read(node, reading), node, reading, **given)
        if len(reading.problems) > told:
            raise Told
        return made

    def made(self, model: type[Model], values: dict[str, Any], node: Node, reading: Reading, **given: Any) -> Model:
        """The model made of values read before; what its own limits refuse is told at the line of the key."""
        try:
            return model(**{**values, **given})
        except ValidationError as error:
            for details in error.errors():
                self._report(details, mapping(node), reading)
            raise Told from None

    def _report(self, details: ErrorDetails, node: MapNode, reading: Reading) -> None:
        attribute = str(details["loc"][0]) if details["loc"] else ""
        name = next((name for name, key in self.supported.items() if key.attribute == attribute), attribute)
        if details["type"] != "missing":
            with reading.under(name):
                reading.report(Finding(node.lines.get(name, node.line), _said(details)))
        elif _is_absent(name, node):
            reading.report(Finding(node.line, f"`{name}` is missing"))


def _is_absent(name: str, node: MapNode) -> bool:
    """Whether a missing field was not written at all; one that was has been told about already."""
    value = node.entries.get(name)
    return value is None or (isinstance(value, Scalar) and value.kind == "null")


def limited(model: type[BaseModel], attribute: str, read: Reader) -> Reader:
    """A reader whose value must also be within the limits that `model` sets for `attribute`."""

    def read_limited(node: Node, reading: Reading) -> Any:
        value = read(node, reading)
        try:
            model(**{attribute: value})
        except ValidationError as error:
            for details in error.errors():
                if details["loc"][:1] == (attribute,):
                    raise Wrong(node.line, _said(details)) from None
        return value

    return read_limited


def _said(details: ErrorDetails) -> str:
    limit = _LIMITS.get(details["type"])
    if limit is None:
        return details["msg"]
    context = details.get("ctx", {})
    amount = context.get(limit[0], "")
    amount = int(amount) if isinstance(amount, float) and amount.is_integer() else amount
    return limit[1].format(amount) + (" item" if details["type"] == "too_short" else "")
