"""Where inventories lie. Nothing here is slow to import: a mistyped name is told before anything else is loaded."""

from __future__ import annotations

from pathlib import Path

from slipway.paths import project_root
from slipway.problems import BadInput, Problem, did_you_mean


def find_inventory(name: str) -> Path:
    """`lab`, `inventories/lab.py` or a path. Raises BadInput with the nearest name."""
    folder = project_root() / "inventories"
    for candidate in (Path(name), folder / name, folder / f"{name}.py"):
        if candidate.is_file():
            return candidate
    known = [path.stem for path in folder.glob("*.py")]
    raise BadInput([Problem(f"inventory {name}", "there is none of that name", did_you_mean(Path(name).stem, known))])
