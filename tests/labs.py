"""Labs of the test suite."""

from __future__ import annotations

import zlib
from collections.abc import Callable

from slipway.lab.lab import Lab
from slipway.paths import SOURCE_ROOT


def lab_of_tests(name: str, say: Callable[[str], None] | None = None) -> Lab:
    """The lab of this name and checkout: one that a killed run of another checkout left up is in nobody's way."""
    checkout = zlib.crc32(str(SOURCE_ROOT).encode()) & 0xFFFF
    own = f"{name}-{checkout:04x}"
    return Lab(own) if say is None else Lab(own, say=say)
