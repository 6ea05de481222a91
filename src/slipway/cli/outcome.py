"""How a command that touches hosts ends: its exit code, and its refusals in its own words."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

# pyinfra needs gevent's patches before anything else that opens sockets.
import pyinfra_cli  # noqa: F401  isort: skip
import click
import gevent
import pyinfra
from rich.console import Console

from slipway.engine.lock import LockHeld
from slipway.engine.prepare import PrepareFailed
from slipway.engine.progress import show_unreachable
from slipway.problems import BAD_INPUT, BadInput
from slipway.seam.errors import HostUnreachable

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
        show_unreachable(error, Console(stderr=True))
        sys.exit(FAILED)
    except PrepareFailed as error:
        end(str(error), FAILED)


def end(message: str, code: int) -> NoReturn:
    click.echo(message, err=True)
    sys.exit(code)


def _interrupted(number: int) -> NoReturn:
    end("Interrupted: what was in hand was stopped where it stood; run again to finish.", 128 + number)
