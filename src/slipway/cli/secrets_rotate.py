"""secrets rotate: a new value for a secret, taken before it is handed out, and the old one until nobody uses it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

from slipway import start  # noqa: F401  isort: skip - it patches for gevent, before anything opens a socket
import click
import gevent

from slipway.cli.outcome import FAILED, OK
from slipway.cli.secret_values import LENGTH, drawn, phase_in, value_given
from slipway.engine.rotating import Use, still_old, use_of
from slipway.engine.secret_source import Source, needed, refuse_reserved, source_of
from slipway.problems import BadInput, Problem, did_you_mean
from slipway.remote import RemoteFailed
from slipway.secrets.versions import (
    NEXT,
    PREVIOUS,
    Edit,
    Phase,
    accepting,
    finished,
    login_variable,
    moved,
    replaced,
    revoking,
)


@click.command()
@click.argument("inventory")
@click.argument("name")
@click.option("--stdin", is_flag=True, help="Take the new value from standard input, as of a token that others issue.")
@click.option(
    "--generate", metavar="LENGTH", default=str(LENGTH), help=f"Letters and digits of a drawn value: {LENGTH}."
)
@click.option("--short-outage", is_flag=True, help="Consent to log-ins that fail until their host has the new value.")
@click.option("--revoke", is_flag=True, help="What the old value has signed may end: take it back.")
def rotate(inventory: str, name: str, stdin: bool, generate: str, short_outage: bool, revoke: bool) -> None:
    """Replace NAME's value: servers take both, each host gets the new one, then the old one is revoked.

    Each step is written into the source and brought by a deploy. Whatever stops it, the same command goes on from
    there: the state is in the source.
    """
    source = needed(source_of(inventory))
    refuse_reserved(name, source)
    rotation = Rotation(source, name)
    if rotation.phase is Phase.STEADY:
        rotation.begin(value_given(name) if stdin else drawn(generate), short_outage)
    else:
        say(f"{name} is in rotation already ({rotation.phase.value}): this goes on with it.")
    sys.exit(rotation.go_on(short_outage, revoke))


WAIT_SECONDS = 60
"""How long another run is waited for: that of a rotation which died has its lock for some seconds."""


def say(line: str) -> None:
    click.echo(line, err=True)


class Rotation:
    """One secret on its way from one value to the next. Where it is the source says, and nothing else."""

    def __init__(self, source: Source, name: str) -> None:
        """Raises BadInput where the source has no such secret, and where the project is not valid."""
        self._source, self._store, self._name = source, source.store(), name
        known = source.opened().names
        if name not in known:
            hint = f"{did_you_mean(name, known)}; a new one: ./slipway secrets set {source.inventory} NAME"
            raise BadInput([Problem(source.place, f"there is no secret {name!r} to rotate", hint)])
        self._use = use_of(name, source)

    @property
    def phase(self) -> Phase:
        with self._source.refusing():
            return phase_in(self._name, self._store.names(), self._source)

    def begin(self, value: str, short_outage: bool) -> None:
        """Writes the first step. Raises BadInput where that would turn somebody away, and nobody has consented."""
        use, refusal = self._use, refused(self._use)
        if refusal and not short_outage:
            raise BadInput([refusal])
        if (use.servers and not refusal) or (not use.servers and NEXT in use.takes):
            self._write(accepting(self._name, value))
        elif not use.servers and PREVIOUS in use.takes:
            self._write(accepting(self._name, value))
            self._move()
        else:
            self._write(replaced(self._name, value))

    def go_on(self, short_outage: bool, revoke: bool) -> int:
        """Does what is left of it. Returns the exit code. Raises BadInput where it would turn somebody away now."""
        steps = {
            Phase.ACCEPTING: lambda: self._accept(short_outage),
            Phase.MOVED: lambda: self._leave(revoke),
            Phase.REVOKING: self._end,
        }
        while (phase := self.phase) is not Phase.STEADY:
            code = steps[phase]()
            if code or self.phase is phase:
                return code
        say(f"{self._name} is rotated.")
        return OK

    def _accept(self, short_outage: bool) -> int:
        who = self._use.told() or ", ".join(self._use.users)
        if code := self._deploy(f"1 of 3: {who} to take both values; the old one is handed out"):
            return code
        # Who does not know it yet could not check what others sign with it.
        if not self._use.servers and NEXT in self._use.takes and self._is_held_up("Not everybody knows the new value"):
            return FAILED
        refusal = refused(self._use)  # the project may have changed since this rotation began
        if refusal and short_outage:
            self._write(replaced(self._name, self._source.opened().version(self._name, NEXT).reveal()))
        elif refusal:
            raise BadInput([refusal])
        else:
            self._move()
        return OK

    def _move(self) -> None:
        secrets = self._source.opened()
        present, new = secrets.get(self._name).reveal(), secrets.version(self._name, NEXT).reveal()
        self._write(moved(self._name, present, new, time.time(), self._use.next_login))

    def _leave(self, revoke: bool) -> int:
        """From the moment that the new value is handed out until nobody needs the old one any more."""
        if code := self._deploy("2 of 3: every host to get the new value; both are taken"):
            return code
        if not self._use.servers and PREVIOUS in self._use.takes and not revoke:
            say(f"Both values count. Once what the old one has signed may end:\n  {self._again()} --revoke")
            return OK
        if self._is_held_up("The old value is still in use, so it is not revoked"):
            return FAILED
        self._write(revoking(self._name))
        return OK

    def _is_held_up(self, what: str) -> bool:
        """Whether somebody has not come along yet, who is told of."""
        try:
            found = still_old(self._use, self._source)
        except RemoteFailed as error:
            found = [f"that could not be told: {error}"]
        if found:
            say(f"{what}:\n  " + "\n  ".join(found))
            say("  HINT: both values are taken. End these sessions, promote a release that comes by shares, bring back")
            say(f"  a host that is away; then: {self._again()}")
        return bool(found)

    def _end(self) -> int:
        old = "the old value to be taken no longer" if self._use.servers else "the new value to be the only one"
        if code := self._deploy(f"3 of 3: {old}"):
            return code
        self._write(finished(self._name))
        return OK

    def _write(self, edit: Edit) -> None:
        with self._source.refusing():
            self._store.edit(edit)

    def _deploy(self, what: str) -> int:
        say(what)
        if code := slipway("deploy", self._source.inventory, "--wait", str(WAIT_SECONDS)):
            say(
                f"{self._name} stays where it is ({self.phase.value}).\n  HINT: mend what failed, then: {self._again()}"
            )
            return code
        return OK

    def _again(self) -> str:
        return f"./slipway secrets rotate {self._source.inventory} {self._name}"


def refused(use: Use) -> Problem | None:
    """Why its servers cannot take two versions of it; None where they can, or where no server checks it."""
    where, consent = f"secret {use.name}", "or consent: --short-outage, and log-ins fail until their host has moved"
    if refusals := [each.refusal for each in use.passwords if each.refusal]:
        return Problem(where, refusals[0], consent)
    if not use.unmoved:
        return None
    what = f"the server knows one password for each login, and {', '.join(use.unmoved)} would keep the old login"
    hint = f"write ${{{login_variable(use.name)}:-{use.own_login}}} for the login (docs/secrets.md); {consent}"
    return Problem(where, what, hint)


def slipway(*words: str) -> int:
    """Runs one of our own commands as a person would, and passes on what would end us. Returns its exit code."""
    command = [sys.executable, "-m", "slipway", *words]
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    passed_on = [gevent.signal_handler(number, child.send_signal, number) for number in (signal.SIGINT, signal.SIGTERM)]
    try:
        code = child.wait()
    finally:
        for watcher in passed_on:
            watcher.cancel()
    return code if code >= 0 else 128 - code
