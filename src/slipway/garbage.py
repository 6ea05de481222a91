"""How rarely Python looks for garbage."""

from __future__ import annotations

import gc

OBJECTS = 1_000_000
"""More than a run over fifty hosts makes and keeps: about two hundred MiB, were all of it garbage."""


def look_rarely() -> None:
    """What a command loads and makes stays to its end: looking through it took a tenth of a run, more with each host.

    What nothing refers to any more is freed at once all the same; this is about circles of what refers to each other.
    """
    gc.set_threshold(OBJECTS, 20, 20)
