"""The tables of `docs/roles.md`, made from every role's data class: fields, types, defaults and their own sentences.

`python -m slipway.reference` writes all that follows the page's heading "Roles" anew; what stands above is written by
hand. A test says when the page is out of date.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from slipway.paths import project_root
from slipway.role import Role
from slipway.sentences import sentences

_HEADING = "\n## Roles\n"
_LONGEST_DEFAULT = 120
"""Characters; a longer one would make the table unreadable, and stands in the data class."""


def reference(page: str, found: list[Role]) -> str:
    """The page with its tables made anew."""
    tables = "\n".join(line for role in found for line in _role(role))
    return f"{page.partition(_HEADING)[0]}{_HEADING}\n{tables}\n"


def roles() -> list[Role]:
    """Every role of the project, in the order of their names."""
    names = sorted(path.parent.name for path in (project_root() / "roles").glob("*/data.py"))
    return [import_module(f"roles.{name}").role for name in names]


def models_of(role: Role) -> list[type[BaseModel]]:
    """The role's data class, then every class that its fields hold, in the order in which they are met."""
    met: list[type[BaseModel]] = [role.data]
    for model in met:  # grows while it is gone through
        for field in model.model_fields.values():
            met += [inner for inner in _models_in(field.annotation) if inner not in met]
    return met


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return list(dict.fromkeys(model for inner in get_args(annotation) for model in _models_in(inner)))


def _role(role: Role) -> Iterator[str]:
    for model in models_of(role):
        level, title = ("###", role.key) if model is role.data else ("####", f"{role.key}.{model.__name__}")
        yield f"{level} {title}\n\n{cell(model.__doc__ or '')}\n"
        yield "| Field | Type | Default | What it says |\n| --- | --- | --- | --- |"
        said = sentences(model)
        yield from (_row(role, name, field, said.get(name, "")) for name, field in model.model_fields.items())
        yield ""


def _row(role: Role, name: str, field: FieldInfo, said: str) -> str:
    limits = _limits(field.metadata)
    what = cell(f"{_type(role, field.annotation)}{limits}")
    return f"| `{name}` | {what} | {_default(field)} | {cell(said)} |"


def _type(role: Role, annotation: Any) -> str:
    """An annotation in words, with links to the classes that it holds."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type(role, arguments[0]) + _limits(list(arguments[1:]))
    if origin is Literal:
        return ", ".join(f"`{_shown(choice)}`" for choice in arguments)
    if origin in (list, tuple):
        return f"list of {_type(role, arguments[0])}"
    if origin is dict:
        return f"mapping to {_type(role, arguments[1])}"
    if arguments:
        return " or ".join(_type(role, each) for each in arguments)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return f"[{annotation.__name__}](#{role.key}{annotation.__name__.lower()})"
    return "None" if annotation is NoneType else str(getattr(annotation, "__name__", annotation))


def _limits(metadata: list[Any]) -> str:
    """The range of a number; nothing for rules that have no short form."""
    flat = [each for item in metadata for each in (item.metadata if isinstance(item, FieldInfo) else [item])]
    low, high = (next((getattr(each, key) for each in flat if hasattr(each, key)), None) for key in ("ge", "le"))
    if low is not None and high is not None:
        return f", {low} to {high}"
    if low is not None:
        return f", from {low}"
    return f", up to {high}" if high is not None else ""


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, BaseModel):
        return "its own defaults"
    shown = _shown(value)
    return f"`{cell(shown)}`" if len(shown) <= _LONGEST_DEFAULT else f"{len(value)} entries, see its class"


def _shown(value: Any) -> str:
    """As group_data would have it."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_shown(key)}: {_shown(each)}" for key, each in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_shown, value)) + "]"
    return f'"{value}"' if isinstance(value, str) else repr(value)


def cell(text: str) -> str:
    """Text as it may stand in a cell of a table: one line, no bare bar."""
    return " ".join(text.split()).replace("|", "\\|")


def main() -> None:
    """Brings the page at the path given up to date, docs/roles.md where none is."""
    sys.path.insert(0, str(project_root()))
    path = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/roles.md")
    path.write_text(reference(path.read_text(encoding="utf-8"), roles()), encoding="utf-8")


if __name__ == "__main__":
    main()
