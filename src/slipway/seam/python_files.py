"""A project's Python files, read as Python itself reads them: with a byte order mark or a declared encoding too."""

from __future__ import annotations

import ast
from pathlib import Path

import pyinfra_cli.inventory as stock_inventory
from pyinfra_cli.util import PYTHON_CODES


def install() -> None:
    """pyinfra reads the imports of a group data file as UTF-8 text, where a byte order mark is a syntax error."""
    stock_inventory._get_imported_names = imported_names


def compile_for_pyinfra(filename: str) -> None:
    """Hands pyinfra the code of a file. Raises SyntaxError, ValueError, OSError."""
    if filename not in PYTHON_CODES:
        PYTHON_CODES[filename] = compile(Path(filename).read_bytes(), filename, "exec")


def imported_names(filename: str) -> set[str]:
    """Names that a file binds by import: they are no data."""
    found: set[str] = set()
    for node in ast.parse(Path(filename).read_bytes(), filename=filename).body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            found |= {alias.asname or alias.name.split(".")[0] for alias in node.names if alias.name != "*"}
    return found
