"""Values of settings: as a configuration file writes them, and whether two spellings are the same."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

Value = str | int | float | bool

_FACTORS = {
    "B": 1, "kB": 1024, "MB": 1024**2, "GB": 1024**3, "TB": 1024**4,
    "us": 0.001, "ms": 1, "s": 1000, "min": 60_000, "h": 3_600_000, "d": 86_400_000,
}  # fmt: skip
_TRUE, _FALSE = frozenset({"on", "true", "yes", "1"}), frozenset({"off", "false", "no", "0"})


NAME_LISTS = frozenset({"search_path", "temp_tablespaces", "local_preload_libraries", "session_preload_libraries"})
"""Settings of a session whose value is a list of names, which Postgres quotes one by one."""
_ELEMENT = re.compile(r'\s*(?:"((?:[^"]|"")*)"|([^,]*?))\s*(?:,|$)')


def elements(value: str) -> list[str]:
    """The names of such a list; a quoted one without its quotes, another in small letters, as Postgres reads it."""
    if not value.strip():
        return [""]
    found, at = [], 0
    while at < len(value):
        match = _ELEMENT.match(value, at)
        if match is None or match.end() == at:
            return [value]
        quoted, plain = match[1], match[2]
        found.append(plain.lower() if quoted is None else quoted.replace('""', '"'))
        at = match.end()
    return found


def conf_value(value: Value) -> str:
    """A value as postgresql.conf quotes it; a backslash there begins an escape."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, (int, float)):
        return str(value)
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def is_in_force(wanted: Value, found: Mapping[str, Any]) -> bool:
    """Whether `pg_settings` (setting, unit, type) says what was wanted, in whatever unit it was written."""
    written = conf_value(wanted) if isinstance(wanted, bool) else str(wanted)
    text = written.strip()
    setting, kind = str(found["setting"]), found["type"]
    if kind == "bool":
        return (text.lower() in _TRUE) == (setting == "on") and text.lower() in _TRUE | _FALSE
    if kind in ("integer", "real"):
        unit = str(found["unit"] or "")
        asked, held = _amount(text, unit), _amount(setting, unit)
        # The server rounds to its own unit; half of one is as close as it can hold.
        return asked is not None and held is not None and abs(asked - held) <= _scale(unit) * 0.5
    if kind == "enum":
        return text.lower() == setting.lower()
    return written == setting


def _amount(text: str, unit: str) -> float | None:
    """In bytes or milliseconds; a bare number is in the setting's own unit."""
    match = re.fullmatch(r"(-?[0-9.]+)\s*([A-Za-z]*)", text)
    if not match:
        return None
    number, written = float(match[1]), match[2]
    if written:
        return number * _FACTORS[written] if written in _FACTORS else None
    return number * _scale(unit)


def _scale(unit: str) -> float:
    """Bytes or milliseconds in one `8kB`, `MB`, `s`; 1 where the setting has no unit."""
    match = re.fullmatch(r"([0-9]*)([A-Za-z]+)", unit)
    return float(match[1] or 1) * _FACTORS[match[2]] if match else 1.0
