"""Data that the whole inventory shares: the application, where secrets are read, Compose variables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError
from pyinfra.api.inventory import Inventory

from slipway.engine.inventory import layers
from slipway.problems import Problem, Problems
from slipway.role import RoleData, problems_of

M = TypeVar("M", bound=RoleData)


class Shared:
    """Such data of one inventory. What is wrong with it is noted where it is declared."""

    def __init__(self, inventory: Inventory, path: Path, problems: Problems) -> None:
        self._inventory, self._path, self._problems = inventory, path, problems

    def place(self, key: str) -> str:
        """The files that declare it."""
        found = [f"{where}: {key}" for layer, where, _ in layers(self._inventory, self._path) if key in layer]
        return ", ".join(dict.fromkeys(found)) or key

    def text(self, key: str) -> str | None:
        """A text; None where nobody sets it, and where it is wrong."""
        value = self._value(key)
        if value is None or (isinstance(value, str) and value.isprintable() and value):
            return value
        told = f"is a {type(value).__name__}, not text" if not isinstance(value, str) else "is empty or unprintable"
        self._problems.add(self.place(key), told, f'write {key} = "..."')
        return None

    def texts(self, key: str) -> dict[str, str]:
        """Names and texts; empty where nobody sets it, and where it is wrong."""
        value = self._value(key)
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            self._problems.add(self.place(key), f"is a {type(value).__name__}, not a dict", f"write {key} = {{...}}")
            return {}
        for name, text in value.items():
            if not isinstance(name, str) or not isinstance(text, str):
                what = f"{name!r} is a {type(text).__name__}, not text"
                self._problems.add(self.place(key), what, f'write {{"{name}": "..."}}')
        return {name: text for name, text in value.items() if isinstance(name, str) and isinstance(text, str)}

    def model(self, key: str, model: type[M]) -> M:
        """Typed settings; their defaults where nobody sets them, and where they are wrong."""
        value = self._value(key)
        try:
            return model.model_validate({} if value is None else value)
        except ValidationError as error:
            self._problems.extend(replace(each, hint=self._hint(each, key)) for each in problems_of(error, key, model))
            return model()

    def _hint(self, problem: Problem, key: str) -> str:
        return f"{problem.hint} (in {self.place(key)})" if problem.hint else f"change it in {self.place(key)}"

    def _value(self, key: str) -> Any:
        """The one value. Hosts that differ are noted, without the values: some name a secret's place."""
        found = {repr(value): value for host in self._inventory if (value := host.data.get(key)) is not None}
        if len(found) > 1:
            self._problems.add(self.place(key), "differs between hosts of one inventory", "set it in one place")
        return next(iter(found.values()), None)
