"""The fence: a host refuses every change of a run that no longer holds its lock, whatever that run itself believes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pyinfra.api import QuoteString, StringCommand

from slipway.seam.errors import LockLost, TooLate

RUN = "/run/slipway"
"""On every host: `lock`, and `held-TOKEN` of whoever holds it now, with the pid of the holder's process there and who
it is. Every take of the lock has a token of its own; the mark goes with the lock."""

REFUSED = 198
"""Exit code of a command that was refused. No program that we call ends with it; the word below makes it certain."""

_WORD = "slipway-fenced"
_REFUSE = f"|| {{ echo {_WORD}; cat {RUN}/held-*; exit {REFUSED}; }} >&2 2>/dev/null"


LATE = "slipway-late"
_IN_TIME = 'read -r up rest < /proc/uptime; test "${up%%.*}" -lt "$1"'
_REFUSE_LATE = f"|| {{ echo {LATE}; exit {REFUSED}; }} >&2"


def fenced(
    command: StringCommand, token: str, chdir: str | None, env: Mapping[str, str] | None, until: float | None = None
) -> StringCommand:
    """The same command, begun only where the host still knows the token. The shared lock must be held already: whoever
    takes the lock next has first put its own mark there and then waits for all who hold the shared one.

    Without a `$`: a login shell (`sudo -i`) would expand it; but for the time, which only a host has that asks itself.

    + until: seconds since the host's start, after which it is not begun any more
    """
    words: list[Any] = ["test -e", QuoteString(f"{RUN}/held-{token}"), _REFUSE, ";"]
    if until is not None:
        words += ["sh -c", QuoteString(_IN_TIME), "lease", str(int(until)), _REFUSE_LATE, ";"]
    # As pyinfra puts them, but behind the fence: what follows `cd` and `&&` would be skipped by a failing `cd`.
    words += ["cd", QuoteString(chdir), "&&"] if chdir else []
    if env:
        pairs = [QuoteString(StringCommand(name, value, _separator="=")) for name, value in env.items()]
        words += ["export", *pairs, "&&"]
    return StringCommand(*words, command)


def refuse_loss(host: str, code: int, said: Sequence[str]) -> None:
    """Raises LockLost where a command was not begun because the lock is no longer ours; TooLate, because the lease is
    not."""
    if code == REFUSED and LATE in said:
        raise TooLate(host)
    if code != REFUSED or _WORD not in said:
        return
    after = said[said.index(_WORD) + 1 :]
    raise LockLost(host, f"this run has lost its lock there: {_who_has_it(after)}; nothing further was changed")


def _who_has_it(lines: Sequence[str]) -> str:
    for line in lines:
        if by := holder_in(line):
            return told(by)
    return "nobody holds it now (it was silent for too long, or /run was cleared)"


def holder_in(line: str) -> dict[str, str]:
    """Who it is, from a mark: its process there, and what it says of itself. Empty where it is neither."""
    return read_holder(line.partition(" ")[2])


def read_holder(text: str) -> dict[str, str]:
    """What a holder says of itself; empty where that cannot be read."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}


def told(by: Mapping[str, str]) -> str:
    """A holder in words."""
    scheduled = ", on a schedule" if by.get("by") == "schedule" else ""
    doing = f"{by.get('doing', 'something')}, pid {by.get('pid', '?')}{scheduled}"
    return f"{by.get('who', 'somebody')} has held the lock since {by.get('since', '?')} ({doing})"
