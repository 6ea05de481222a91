"""The controller's side of a guarded change: it counts only what comes through a connection made for it."""

from __future__ import annotations

import time
from contextlib import suppress

import gevent
from paramiko import SSHException
from pyinfra.api.exceptions import PyinfraError
from pyinfra.api.host import Host

from slipway.facts.files import script
from slipway.ops.guarded_script import CONFIRM, GUARDED, STATE
from slipway.seam.errors import RemoteFailed
from slipway.seam.fresh import NotLetIn, run_anew

MARGIN_SECONDS = 5
"""The last try ends this long before the host undoes the change: a confirmation that comes too late helps nobody."""
TRY_SECONDS = 10
"""For one try, from the first packet to the last: what is dropped by a firewall never answers."""
PAUSE_SECONDS = 1.0
"""Between two tries; a server that is taking up its settings refuses connections for a moment."""
MOST_REFUSALS = 2
"""sshd of OpenSSH 9.8 and later shuts out for minutes whoever fails to log in again and again: it is asked twice."""
AFTERWARDS_SECONDS = 20
"""How long the host is asked afterwards whether it has put everything back: reloading a service takes seconds."""


class NotConfirmed(RemoteFailed):
    """The change was not confirmed; the host undoes it, or has."""

    def __init__(self, host: str, what: str, why: str, is_undone: bool) -> None:
        super().__init__(host, [why])
        self.told = _told(host, what, why, is_undone)

    def __str__(self) -> str:
        return self.told


def _told(host: str, what: str, why: str, is_undone: bool) -> str:
    cut = f"{host}: the change of {what} would have cut us off: no new connection could be used ({why})"
    if is_undone:
        end = "the host has undone it: what was there before is in force again"
        hint = "correct the data; the next plan shows the change again. On the host: journalctl -t slipway"
    else:
        end = "the host undoes it by itself, but does not answer yet: whether it has is not known"
        hint = "look whether it can be reached; if not, at its console: journalctl -t slipway"
    return f"{cut}\n  {end}\n  HINT: {hint}"


def confirm(host: Host, what: str, seconds: int, token: str) -> None:
    """Confirms the change of `what` through a new connection. Raises NotConfirmed once its undo is done or overdue."""
    began = time.monotonic()
    why = _tried(host, token, began + seconds - MARGIN_SECONDS)
    if why:
        raise NotConfirmed(host.name, what, why, _is_undone(host, began + seconds))


def _tried(host: Host, token: str, deadline: float) -> str:
    """Empty where it is confirmed; else why not."""
    why, refusals = "", 0
    while not why or (time.monotonic() < deadline and refusals < MOST_REFUSALS):
        try:
            said = run_anew(host, script(CONFIRM, GUARDED, token), TRY_SECONDS)
            return "" if said == ["confirmed"] else why or "it came too late"
        except NotLetIn as error:
            why, refusals = str(error), refusals + error.is_final
        gevent.sleep(PAUSE_SECONDS)
    return why


def _is_undone(host: Host, due: float) -> bool:
    """Whether the host says that all is as it was. It is asked to be quick about it by the connection that we had."""
    if _is_said_by_the_old(host):
        return True
    gevent.sleep(max(0.0, due - time.monotonic()))
    while time.monotonic() < due + AFTERWARDS_SECONDS:
        with suppress(NotLetIn):
            if run_anew(host, script(STATE, GUARDED), TRY_SECONDS) == ["undone"]:
                return True
        gevent.sleep(PAUSE_SECONDS)
    return False


def _is_said_by_the_old(host: Host) -> bool:
    """Undoes it through the connection that we had. False where that is dead, or not ours to use: no wonder here."""
    text = f'sh "$1/undo" refused 2> /dev/null\n{STATE}'
    try:
        with gevent.Timeout(TRY_SECONDS, TimeoutError()):
            _, output = host.run_shell_command(script(text, GUARDED), _sudo=True, _timeout=TRY_SECONDS)
    except (PyinfraError, RemoteFailed, SSHException, OSError, EOFError):
        return False
    return list(output.stdout_lines) == ["undone"]
