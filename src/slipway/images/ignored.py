"""What .dockerignore leaves out, by Docker's own rules, without Docker's own client.

Its rules are a file of 260 lines that needs nothing; the package around it brings an HTTP client with it, which takes
a quarter of the time that a whole validation takes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

_ALONE = "slipway.images._docker"
"""The name under which files of Docker's package are imported here: its own stays free for the package itself."""


def paths_within(context: Path, patterns: list[str], dockerfile: str) -> set[str]:
    """Files and directories of the context that the patterns leave in; always with the Dockerfile."""
    found: set[str] = _rules()(str(context), [*patterns], dockerfile=dockerfile)
    return found


@cache
def _rules() -> Callable[..., set[str]]:
    spec = find_spec("docker")
    (folder,) = (spec.submodule_search_locations if spec else None) or [""]
    for name, path in ((_ALONE, Path(folder)), (f"{_ALONE}.utils", Path(folder) / "utils")):
        package = ModuleType(name)  # empty: what the package's own __init__ imports is what takes so long
        package.__path__ = [str(path)]
        sys.modules[name] = package
    rules: Callable[..., set[str]] = import_module(f"{_ALONE}.utils.build").exclude_paths
    return rules
