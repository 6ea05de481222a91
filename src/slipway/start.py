"""Imported before pyinfra by every command that needs it: gevent's patches, and what nobody needs left out.

Of the second and more that importing pyinfra and its SSH took, a third was spent on two things that are of no use here.
"""

from __future__ import annotations

import sys
from importlib import import_module, metadata
from types import ModuleType
from typing import Any


def _read_entry_points_once() -> None:
    """gevent asks for plug-ins two dozen times, and each time the metadata of every installed package is read."""
    found = metadata.entry_points()

    def chosen(**by: Any) -> Any:
        return found.select(**by)

    metadata.entry_points = chosen


class _OnUse(ModuleType):
    """Stands in for a module until something of it is used."""

    def __getattr__(self, name: str) -> Any:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(import_module(self.__name__), name)


def load_on_use(name: str) -> None:
    """Whoever imports this module from now on gets it; its code runs when the first attribute of it is asked for."""
    if name not in sys.modules:
        sys.modules[name] = _OnUse(name)


_read_entry_points_once()
import pyinfra_cli  # noqa: E402, F401 - it patches for gevent, before anything else opens a socket

# paramiko needs it for `Match exec` of an ssh_config alone.
load_on_use("invoke")
