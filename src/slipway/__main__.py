"""`python -m slipway`: the same as ./slipway."""

import atexit
import os
import sys

from slipway.cli import main


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
