"""One run per host at a time: a lock on every host of a run that frees itself when its holder dies or falls silent."""

from __future__ import annotations

import getpass
import json
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

import gevent
from pyinfra.api.host import Host

from slipway.facts.files import script
from slipway.seam.connection import Connection, Stream

BEAT_SECONDS = 4
SILENCE_SECONDS = 15
"""A holder that has not been heard for this long has lost the lock: three beats may be late, a fourth not."""

LONGEST_RUN_SECONDS = 6 * 3600

# bash, for `read -t`; on every Debian. The loop holds the lock through descriptor 9 and ends with its input.
_HOLD = """\
exec bash -c '
mkdir -p -m 755 /run/slipway && exec 9>>/run/slipway/lock || { echo "error cannot write /run/slipway"; exit 74; }
flock -n 9 || { echo "busy $(cat /run/slipway/holder 2>/dev/null)"; exit 75; }
printf "%s\\n" "$1" > /run/slipway/holder
echo held
while IFS= read -r -t "$2" beat; do echo beat; done 2>/dev/null
rm -f /run/slipway/holder
' slipway-lock "$@" 2>&1
"""


class LockHeld(Exception):
    """Another run holds the lock of a host. Nothing was changed; every lock that was taken has been given back."""


class LockLost(Exception):
    """The lock of a host is gone: the connection broke, or we were silent for too long. No further change is made."""


def holder(doing: str) -> dict[str, str]:
    """Who we are, for whoever finds the lock taken."""
    return {
        "who": f"{getpass.getuser()}@{socket.gethostname()}",
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
        "doing": doing,
        "pid": str(os.getpid()),
    }


class HostLock:
    """The lock on one host, held as long as this process keeps beating."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.is_lost = False
        self._stream: Stream | None = None
        self._jobs: list[gevent.Greenlet] = []

    def take(self, holder_json: str) -> str:
        """Empty where it was taken; else why not."""
        command = script(_HOLD, holder_json, str(SILENCE_SECONDS))
        connection: Connection = self.host.connector  # type: ignore[assignment]  # the seam has put it there
        self._stream = connection.open_stream(command, LONGEST_RUN_SECONDS)
        said = self._stream.read_line() or "error the connection ended"
        if said == "held":
            self._jobs = [gevent.spawn(self._beat), gevent.spawn(self._listen)]
            return ""
        return said

    def _beat(self) -> None:
        while not self.is_lost and self._stream is not None:
            gevent.sleep(BEAT_SECONDS)
            try:
                self._stream.write("beat")
            except OSError:
                self.is_lost = True

    def _listen(self) -> None:
        while self._stream is not None and self._stream.read_line() is not None:
            pass
        self.is_lost = True

    def release(self) -> None:
        gevent.killall(self._jobs, block=False)
        if self._stream is not None:
            self._stream.close()


class FleetLock:
    """The locks of every host of a run."""

    def __init__(self, locks: Sequence[HostLock]) -> None:
        self._locks = locks

    def check(self) -> None:
        """Raises LockLost where any host's lock is gone. Called before each change."""
        for lock in self._locks:
            if lock.is_lost:
                raise LockLost(f"{lock.host.name}: the lock is gone; nothing further was changed")


@contextmanager
def locked(hosts: Sequence[Host], doing: str) -> Iterator[FleetLock]:
    """The locks of all these hosts, or LockHeld and none."""
    locks = [HostLock(host) for host in hosts]
    who = json.dumps(holder(doing), sort_keys=True)
    try:
        # In inventory order, one after the other: two runs over the same hosts meet at the first and cannot deadlock.
        for lock in locks:
            if refused := lock.take(who):
                raise LockHeld(_told(lock.host.name, refused))
        yield FleetLock(locks)
    finally:
        for lock in locks:
            lock.release()


def _told(host: str, said: str) -> str:
    kind, _, rest = said.partition(" ")
    if kind != "busy":
        return f"{host}: the lock could not be taken: {rest or said}"
    try:
        by = json.loads(rest)
        return f"{host}: {by['who']} has held the lock since {by['since']} ({by['doing']}, pid {by['pid']})"
    except (ValueError, KeyError, TypeError):
        return f"{host}: another run holds the lock"
