"""Where the project lies: the checkout with deploy.py, and the state that the controller may lose."""

from __future__ import annotations

import os
from itertools import chain
from pathlib import Path

STATE = "SLIPWAY_STATE_DIR"
"""Where the state lies instead, for a checkout that nothing may be written into."""

SOURCE_ROOT = Path(__file__).resolve().parents[2]


def project_root() -> Path:
    """The nearest directory upwards from here that holds a deploy.py; else the checkout that this code came from."""
    here = Path.cwd()
    for directory in chain((here,), here.parents):
        if (directory / "deploy.py").is_file() and (directory / "inventories").is_dir():
            return directory
    return SOURCE_ROOT


def state_dir() -> Path:
    """What this controller keeps for itself (lab, caches). Losing it loses nothing that matters."""
    return Path(os.environ.get(STATE) or project_root() / ".slipway")
