"""The sentence under each field of a data class: read from the source where a page is made, not in every run.

pydantic can read them as it makes the class (`use_attribute_docstrings`); for all roles that takes longer than looking
through an inventory with them.
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator
from functools import cache
from itertools import pairwise

from pydantic import BaseModel


def sentences(model: type[BaseModel]) -> dict[str, str]:
    """Field to the string that stands under it, in the class or in one that it is made from."""
    own = [each for each in reversed(model.__mro__) if issubclass(each, BaseModel) and each is not BaseModel]
    return {name: text for each in own for name, text in _written_in(each).items()}


@cache
def _written_in(model: type[BaseModel]) -> dict[str, str]:
    body = next(node.body for node in _classes(model.__module__) if node.name == model.__name__)
    return dict(_under_fields(body))


@cache
def _classes(module: str) -> tuple[ast.ClassDef, ...]:
    """Every class of a module; two of one name there would share their sentences."""
    tree = ast.parse(inspect.getsource(sys.modules[module]))
    return tuple(node for node in ast.walk(tree) if isinstance(node, ast.ClassDef))


def _under_fields(body: list[ast.stmt]) -> Iterator[tuple[str, str]]:
    for field, below in pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(below, ast.Expr):
            text = below.value
            if isinstance(text, ast.Constant) and isinstance(text.value, str):
                yield field.target.id, inspect.cleandoc(text.value)
