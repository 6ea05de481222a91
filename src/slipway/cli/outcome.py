"""How a command that touches hosts ends: its exit code, and its refusals in its own words."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from slipway import start  # noqa: F401  isort: skip  # first: it patches for gevent
import gevent
import pyinfra

from slipway.engine.execute import INTERRUPTED
from slipway.engine.lock import LockHeld
from slipway.engine.prepare import PrepareFailed
from slipway.printable import say
from slipway.problems import BAD_INPUT, BadInput
from slipway.seam.errors import FactFailed, HostUnreachable, RemoteFailed

OK, FAILED, CHANGES_PENDING, LOCK_HELD = 0, 1, 3, 75


@contextmanager
def truthful() -> Iterator[None]:
    """Turns what can go wrong into a message and the exit code that says what it was."""
    pyinfra.is_cli = True
    for number in (signal.SIGINT, signal.SIGTERM):
        gevent.signal_handler(number, _interrupted, number)
    try:
        yield
    except BadInput as error:
        end(str(error), BAD_INPUT)
    except LockHeld as error:
        end(str(error), LOCK_HELD)
    except HostUnreachable as error:
        _tell_unreachable(error)
    except (PrepareFailed, FactFailed, RemoteFailed) as error:
        end(str(error), FAILED)
    except SystemExit as error:
        for line in getattr(error, "__notes__", ()):  # what an interrupted run leaves undone
            say(line, err=True)
        raise


def _tell_unreachable(error: HostUnreachable) -> NoReturn:
    # Tables take a while to load, and a mistake in the data is told without one.
    from slipway.engine.progress import show_unreachable
    from slipway.terminal import Terminal

    show_unreachable(error, Terminal(stderr=True))
    sys.exit(FAILED)


def end(message: str, code: int) -> NoReturn:
    say(message, err=True)
    sys.exit(code)


def _interrupted(number: int) -> NoReturn:
    end(INTERRUPTED, 128 + number)
