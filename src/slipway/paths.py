"""Where the project lies: the checkout with deploy.py, and the state that the controller may lose."""

from __future__ import annotations

from pathlib import Path

SOURCE_ROOT = Path(__file__).resolve().parents[2]


def project_root() -> Path:
    """The nearest directory upwards from here that holds a deploy.py; else the checkout that this code came from."""
    here = Path.cwd()
    for directory in (here, *here.parents):
        if (directory / "deploy.py").is_file() and (directory / "inventories").is_dir():
            return directory
    return SOURCE_ROOT


def state_dir() -> Path:
    """What this controller keeps for itself (lab, caches). Losing it loses nothing that matters."""
    return project_root() / ".slipway"
