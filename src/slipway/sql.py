"""SQL text from values: the only place where a name or a value becomes part of a statement."""

from __future__ import annotations

from collections.abc import Iterable

IDENTIFIER_BYTES = 63
"""PostgreSQL cuts longer names off (NAMEDATALEN - 1), so that two would become one."""


def identifier(name: str) -> str:
    """A name as a quoted identifier. Raises ValueError for one that PostgreSQL cannot hold whole."""
    if not name or "\0" in name or len(name.encode()) > IDENTIFIER_BYTES:
        raise ValueError(f"{name!r} is no PostgreSQL name (1 to {IDENTIFIER_BYTES} bytes, no NUL)")
    return '"' + name.replace('"', '""') + '"'


def literal(value: str) -> str:
    """A string constant, the same whatever `standard_conforming_strings` says. Raises ValueError for a NUL."""
    if "\0" in value:
        raise ValueError("a PostgreSQL string cannot hold a NUL byte")
    if "\\" not in value:
        return "'" + value.replace("'", "''") + "'"
    return "E'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def texts(values: Iterable[str]) -> str:
    """Values as an array of text."""
    return f"ARRAY[{', '.join(literal(value) for value in values)}]::text[]"
