"""What tells one input of a template from another: its values, their types and their order."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import is_dataclass
from enum import Enum
from typing import Any

from pydantic import BaseModel


class NoKey(TypeError):
    """Something that cannot be told from another of its kind by looking at it."""


def key_of(value: Any) -> Hashable:
    """Equal where any template gives the same text for both. Raises NoKey for what is no plain data, as a secret.

    Python takes 1 for True and a dict for the same in another order; a template shows the difference.
    """
    make = _MAKE.get(type(value)) or _by_kind(value)
    return type(value), make(value)


def _by_kind(value: Any) -> Callable[[Any], Hashable]:
    if isinstance(value, Enum):
        return _itself
    if isinstance(value, BaseModel) and not value.__pydantic_private__:
        return _fields
    if is_dataclass(value) and hasattr(value, "__dict__"):
        return _fields
    raise NoKey(f"a {type(value).__name__} has no key")


def _itself(value: Hashable) -> Hashable:
    return value


def _items(value: Any) -> Hashable:
    return tuple([key_of(each) for each in value])


def _pairs(value: Mapping[Any, Any]) -> Hashable:
    return tuple([(key_of(key), key_of(each)) for key, each in value.items()])


def _fields(value: Any) -> Hashable:
    return _pairs(vars(value))


# 0.0 equals -0.0, and no NaN equals itself.
_MAKE: dict[type, Callable[[Any], Hashable]] = {
    **dict.fromkeys((str, bytes, int, bool, type(None)), _itself),
    **dict.fromkeys((list, tuple), _items),
    dict: _pairs,
    float: repr,
}
