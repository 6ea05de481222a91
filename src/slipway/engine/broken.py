"""Python files of the project that do not run: told by file and line, without a traceback."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from slipway.paths import project_root
from slipway.problems import BadInput, Problem, conflict_line, did_you_mean
from slipway.seam.python_files import compile_for_pyinfra

NOT_PYTHON = "mend the line; Python stopped reading there"
STOPPED = "mend the line; what comes after it was not looked at"


def unreadable(filename: str) -> Problem | None:
    """What is wrong with a file that is not Python; None where it is."""
    where = shown(filename)
    try:
        compile_for_pyinfra(filename)
    except SyntaxError as error:
        return _syntax(error, filename)
    except ValueError as error:
        return Problem(where, f"is not Python: {error}", "save it as UTF-8 text")
    except OSError as error:
        return Problem(where, f"cannot be read: {error.strerror}", "name a file that you may read")
    return None


def problems_in(error: Any) -> list[Problem]:
    """What a file that stopped has to say: the exception at its line, or our own refusals as they are."""
    if isinstance(error, SyntaxError):
        return [_syntax(error, str(error.filename))]
    cause = error.exception
    if isinstance(cause, SyntaxError):
        return [_syntax(cause, str(cause.filename))]
    if isinstance(cause, BadInput):
        return list(cause.problems)
    where = f"{shown(error.filename)}:{_line_within(error.filename, cause)}"
    return [Problem(where, f"{type(cause).__name__}: {cause}", _advice(cause))]


def _syntax(error: SyntaxError, filename: str) -> Problem:
    where = shown(error.filename or filename)
    if line := _conflict(error.filename or filename):
        return Problem(f"{where}:{line}", "is in the middle of a merge", "take one side and remove the marks")
    return Problem(f"{where}:{error.lineno or 1}", f"SyntaxError: {error.msg}", NOT_PYTHON)


def _conflict(filename: str) -> int:
    try:
        return conflict_line(Path(filename).read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return 0


def _line_within(filename: str, cause: BaseException) -> int:
    """The innermost line of that file that the exception came through."""
    line, trace = 0, cause.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == filename:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def _advice(cause: BaseException) -> str:
    missing = re.match(r"cannot import name '(\w+)' from 'roles'", str(cause))
    if not missing:
        return STOPPED
    return did_you_mean(missing[1], [path.parent.name for path in (project_root() / "roles").glob("*/__init__.py")])


def shown(filename: Any) -> str:
    """The path as a person writes it: from the project on where it lies in there."""
    path = Path(str(filename))
    return str(path.relative_to(project_root())) if path.is_relative_to(project_root()) else str(path)
