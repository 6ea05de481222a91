"""`python -m slipway`: the same as ./slipway."""

import atexit
import gc
import os
import sys

# What is loaded stays, and most of what a run without changes makes: to look through it for garbage every 700 objects,
# as Python would, takes a tenth of the time. A process that goes on for longer has some ten megabytes of it at most.
gc.set_threshold(200_000, 5, 5)

from slipway.cli import main  # noqa: E402


def leave(code: int) -> None:
    """Ends the process with everything said and every exit handler run; returns where it cannot be said.

    Python would take all modules apart first: a third of what a command takes that tells a mistake.
    """
    atexit._run_exitfuncs()
    try:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
    except OSError:
        return
    os._exit(code)


try:
    main()
except SystemExit as end:
    if end.code is None or isinstance(end.code, int):
        leave(end.code or 0)
    raise
