"""Variables in values, as the Compose specification has them: `$VAR`, `${VAR:-default}`, `${VAR:?error}`, `$$`."""

from __future__ import annotations

import re
from collections.abc import Callable

Lookup = Callable[[str], str | None]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OPERATORS = (":-", ":?", ":+", "-", "?", "+")
_DEEPEST = 20  # defaults inside defaults; a person writes one or two


class BadVariable(ValueError):
    """A variable that is missing, or a `$` that is not one. `hint` says what to write instead."""

    def __init__(self, what: str, hint: str = "") -> None:
        self.hint = hint
        super().__init__(what)


def interpolate(text: str, lookup: Lookup) -> str:
    """`text` with every variable replaced. Raises BadVariable where one has neither value nor default."""
    return _Scanner(text, lookup).until("", 0)


def escaped(text: str) -> str:
    """What to write in a Compose file so that `text` comes out as it is."""
    return text.replace("$", "$$")


class _Scanner:
    """One pass over the text from left to right."""

    def __init__(self, text: str, lookup: Lookup) -> None:
        self._text, self._lookup, self._at = text, lookup, 0

    def until(self, end: str, depth: int) -> str:
        """Everything up to `end` (left unread), or to the end of the text where `end` is empty."""
        if depth > _DEEPEST:
            raise BadVariable("defaults nested too deeply")
        parts: list[str] = []
        while self._at < len(self._text) and not (end and self._text[self._at] == end):
            stop = self._next_special(end)
            parts.append(self._text[self._at : stop])
            self._at = stop
            if self._text.startswith("$", stop):
                parts.append(self._variable(depth))
        return "".join(parts)

    def _next_special(self, end: str) -> int:
        found = (self._text.find(mark, self._at) for mark in ("$", end) if mark)
        return min((at for at in found if at >= 0), default=len(self._text))

    def _variable(self, depth: int) -> str:
        self._at += 1
        if self._text.startswith("$", self._at):
            self._at += 1
            return "$"
        if self._text.startswith("{", self._at):
            self._at += 1
            return self._braced(depth)
        return self._value_of(self._name())

    def _name(self) -> str:
        match = _NAME.match(self._text, self._at)
        if match is None:
            raise BadVariable(
                f"a `$` in {_shortened(self._text)} that starts no variable", "write `$$` for a dollar sign"
            )
        self._at = match.end()
        return match.group()

    def _braced(self, depth: int) -> str:
        name = self._name()
        operator = next((op for op in _OPERATORS if self._text.startswith(op, self._at)), "")
        self._at += len(operator)
        # A branch that is not taken is scanned with a lookup that always answers, so its variables may be undefined.
        taken = self._takes_argument(name, operator)
        argument = self._argument(depth, taken)
        if not self._text.startswith("}", self._at):
            raise BadVariable(
                f"`${{{name}` in {_shortened(self._text)} has no closing brace", "write `$$` for a dollar sign"
            )
        self._at += 1
        return self._decided(name, operator, argument, taken)

    def _takes_argument(self, name: str, operator: str) -> bool:
        value = self._lookup(name) if operator else None
        given = value is not None and (value != "" or not operator.startswith(":"))
        return bool(operator) and given == operator.endswith("+")

    def _argument(self, depth: int, taken: bool) -> str:
        lookup = self._lookup
        if not taken:
            self._lookup = lambda name: ""
        try:
            return self.until("}", depth + 1)
        finally:
            self._lookup = lookup

    def _decided(self, name: str, operator: str, argument: str, taken: bool) -> str:
        if operator.endswith("?") and taken:
            empty = " and not empty" if operator == ":?" else ""
            raise BadVariable(
                f"the variable {name} must be set{empty}: {argument or 'it is required here'}", _set_it(name)
            )
        if operator.endswith("+") and not taken:
            return ""
        if taken:
            return argument
        if not operator and argument:
            raise BadVariable(f"`${{{name}{argument}}}` is no form of a variable that Compose knows")
        return self._value_of(name)

    def _value_of(self, name: str) -> str:
        value = self._lookup(name)
        if value is None:
            raise BadVariable(f"the variable {name} is not set", _set_it(name))
        return value


def _set_it(name: str) -> str:
    return f"set {name} in the group data or in `.env` beside the file, or give a default: ${{{name}:-...}}"


def _shortened(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")
