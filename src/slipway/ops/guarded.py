"""A change that may cut us off from a host: the host undoes it by itself unless a new connection confirms it."""

from __future__ import annotations

import secrets
from collections.abc import Generator, Sequence
from dataclasses import dataclass

from pyinfra import host
from pyinfra.api import QuoteString, StringCommand
from pyinfra.api.state import StateStage

from slipway.confirming import confirm
from slipway.disruption import Disruption, disrupts
from slipway.facts.files import script
from slipway.ops.guarded_script import ARM, BOOT_UNIT, GUARDED, STEP, UNDO

SECONDS = 30
"""How long a change may go unconfirmed: a slow host's log-in takes some seconds, and nobody waits longer locked out."""


@dataclass(frozen=True)
class Guard:
    """What has to come back where a change is not confirmed."""

    what: str
    """What is changed, in a word: it names the unit slipway-undo-<what>."""
    paths: tuple[str, ...]
    """Files that come back as they were, or go where they were not."""
    keep: str = ":"
    """Shell that keeps what is in force; it runs in the guard's directory on the host before the change."""
    restore: str = ":"
    """Shell that puts that back; it runs there once the files are back. Not at boot, when nothing is in force yet."""
    seconds: int = SECONDS


def guarded(guard: Guard, steps: Sequence[StringCommand]) -> Generator[StringCommand]:
    """The steps of a change, between arming its undo on the host and confirming it through a new connection.

    One host at a time, so that a mistake cuts off one. Raises NotConfirmed; whatever becomes of us meanwhile, the host
    has put everything back after `guard.seconds`. A step that fails is undone at once.
    """
    if not steps:
        return
    disrupts(Disruption(f"change of {guard.what}", seconds=guard.seconds, is_confirmed=True))
    token = secrets.token_hex(8)
    seconds = str(guard.seconds)
    yield script(ARM, GUARDED, guard.what, seconds, token, guard.keep, guard.restore, UNDO, BOOT_UNIT, *guard.paths)
    for step in steps:
        yield _while_armed(step, token)
    # Whoever only reads the steps has changed nothing that could be confirmed.
    if host.state.current_stage == StateStage.Execute:
        confirm(host, guard.what, guard.seconds, token)


def _while_armed(step: StringCommand, token: str) -> StringCommand:
    around = script(STEP, GUARDED, token)
    return StringCommand(*around.bits, *step.bits, **step.connector_arguments)


def run_as(user: str, step: StringCommand) -> StringCommand:
    """The same step as this user, started by root: a step of a guarded change has to be."""
    return StringCommand("runuser", "-u", QuoteString(user), "--", *step.bits, **step.connector_arguments)
