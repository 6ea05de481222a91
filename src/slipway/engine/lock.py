"""One run per host at a time: a lock on every host of a run that frees itself when its holder dies or falls silent.

With the lock comes a token. Every changing command looks for it on the host before it begins, so that a run that has
lost its lock changes nothing more even where it does not know yet (slipway.seam.fence).
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import gevent
from gevent.queue import Empty, Queue
from pyinfra.api import StringCommand
from pyinfra.api.host import Host

from slipway.engine import audit
from slipway.engine.lock_script import HOLD
from slipway.facts.files import script
from slipway.remote import Remote, RemoteFailed
from slipway.seam import at_work
from slipway.seam.connection import WORK, Connection
from slipway.seam.errors import LockLost
from slipway.seam.fence import RUN, read_holder, told
from slipway.seam.hosts import ready_to_ask
from slipway.seam.streams import Stream
from slipway.who import now, who

LOCK = f"{RUN}/lock"
BEAT_SECONDS = 4
SILENCE_SECONDS = 15
"""A holder that has not been heard for this long has lost the lock: three beats may be late, a fourth not."""

ORPHAN_SECONDS = 600
"""How long the next run waits for commands of one that died: longer than a container may take to be replaced."""

ANSWER_SECONDS = 60
"""How long a host may take to say whether the lock is ours: sudo may wait for a dead name server first."""

GIVE_BACK_SECONDS = 5
"""How long a run waits at its end until a host has noted it and freed the lock. It frees itself anyway."""

LONGEST_RUN_SECONDS = 6 * 3600
ASK_AGAIN_SECONDS = 2
"""Between two tries for a lock that somebody else holds."""

PERSON, SCHEDULE = "person", "schedule"
"""On whose behalf a run is. One on a schedule never waits: it yields to people, and comes again anyway."""


LOCK_HELD = 75
"""Exit code of a run that another one is in the way of: nothing was changed."""


class LockHeld(Exception):
    """Another run holds the lock of a host. Nothing was changed; every lock that was taken has been given back."""


class GivenWay(LockHeld):
    """Somebody else is at work, or has been since a run that nobody started has looked. Nothing was changed."""

    ending = (LOCK_HELD, "gave way")
    """As the audit has it."""


class LockFailed(RemoteFailed):
    """A host could not give us its lock, or not write down who we are. Nothing was changed anywhere."""


@dataclass(frozen=True)
class Claim:
    """What somebody wants the locks for."""

    entry: audit.Entry
    wait: float = 0
    """Seconds that another holder is waited for."""
    by: str = PERSON
    looks_first: bool = False
    """Whether it only looks at the hosts until it asks whether the run has `begun`: they write that down meanwhile."""

    def holder(self) -> str:
        """Who we are, for whoever finds the lock taken."""
        doing = f"{self.entry.command} {self.entry.inventory}".strip()
        said = {"who": who(), "since": now(), "doing": doing, "pid": str(os.getpid()), "by": self.by}
        return json.dumps(said, sort_keys=True)


class HostLock:
    """The lock on one host, held as long as this process keeps beating."""

    def __init__(self, host: Host, say: Callable[[str], None] = lambda line: None) -> None:
        self.host, self._say = host, say
        self.is_lost = False
        self._answers: Queue[str] = Queue()
        self._opening: gevent.Greenlet | None = None
        self._waits_for_its_turn = False
        self._stream: Stream | None = None
        self._jobs: list[gevent.Greenlet] = []

    @property
    def _connection(self) -> Connection:
        return self.host.connector  # type: ignore[return-value]  # the seam has put it there

    def open(self, token: str, holder: str, waits: bool = False) -> gevent.Greenlet:
        """Begins to start, on the host, what takes it: that takes longer than all the rest of it.

        + waits: for its turn, until `take` is called
        """
        turn = "later" if waits else "now"
        command = script(HOLD, token, holder, str(SILENCE_SECONDS), WORK, str(ORPHAN_SECONDS), turn)
        self._opening, self._waits_for_its_turn = gevent.spawn(self._open, command), waits
        return self._opening

    def _open(self, command: StringCommand) -> Stream:
        try:
            self._stream = self._connection.open_stream(command, LONGEST_RUN_SECONDS)
        except Exception as error:
            raise self._failed(str(error)) from error
        self._jobs = [gevent.spawn(self._beat)]
        return self._stream

    def take(self, token: str, holder: str) -> None:
        """Raises LockHeld, LockFailed."""
        try:
            # A greenlet that has ended is false.
            stream: Stream = (self.open(token, holder) if self._opening is None else self._opening).get()
            if self._waits_for_its_turn:
                stream.write("take")
            if not self._wait_for_it(stream):
                raise self._failed(self._connection.why_closed)
        except Exception as error:
            if isinstance(error, LockHeld | LockFailed):
                raise
            raise self._failed(str(error)) from error
        self._jobs.append(gevent.spawn(self._listen))
        self._connection.token = token

    def _wait_for_it(self, stream: Stream) -> bool:
        """False where the connection ended. Raises LockHeld, LockFailed."""
        patience, noise = ANSWER_SECONDS, ""
        while (said := stream.read_line(patience)) is not None:
            kind, _, rest = said.partition(" ")
            if kind == "held":
                return True
            if kind in ("busy", "orphans"):
                raise LockHeld(_refused(self.host.name, kind, rest))
            if kind == "waits":
                what = at_work.told(rest.split(";")) or "a command"
                self._say(f"{self.host.name}: waiting for what an earlier run has left at work there: {what}")
                patience += ORPHAN_SECONDS
            elif kind != "beat":
                noise = rest if kind == "error" else said
        if noise:
            raise self._failed(noise)
        return False

    def _failed(self, why: str) -> LockFailed:
        return LockFailed(self.host.name, [f"the lock could not be taken: {why}"])

    def begin(self, line: str) -> None:
        """Writes down who we are. Raises LockFailed where the host cannot."""
        try:
            self._write(f"begin {line}")
            said = self._answers.get(timeout=ANSWER_SECONDS)
        except (OSError, Empty) as error:
            said = f"error {error}" if str(error) else f"error no answer within {ANSWER_SECONDS} s"
        if said != "begun":
            why = said.removeprefix("error ")
            raise LockFailed(self.host.name, [f"could not write down who is at work there: {why}"])

    def _write(self, line: str) -> None:
        if self._stream is not None:
            self._stream.write(line)

    def _beat(self) -> None:
        while not self.is_lost:
            gevent.sleep(BEAT_SECONDS)
            try:
                self._write("beat")
            except OSError:
                self.is_lost = True

    def _listen(self) -> None:
        # Lines that are no answers are our own beats, said again.
        while self._stream is not None and (said := self._stream.read_line()) is not None:
            if said != "beat":
                self._answers.put(said)
        self.is_lost = True
        self._answers.put("error the lock is gone")

    def release(self, last: str = "") -> None:
        """Gives it back, with a last line for the audit. Returns when the host has freed it, or after a while."""
        if self._opening is not None:
            self._opening.kill()
        if self._stream is None:
            return
        self.is_lost, listening = True, self._jobs[1:]
        gevent.killall(self._jobs[:1], block=False)  # no beat after the last word
        with suppress(OSError):  # a lock that is gone needs no giving back
            if last:
                self._write(f"end {last}")
            self._stream.finish()
        gevent.joinall(listening, timeout=GIVE_BACK_SECONDS)
        gevent.killall(self._jobs, block=False)
        self._stream.close()


def is_held(remote: Remote) -> bool:
    """Whether a run holds this host's lock now. Raises RemoteFailed."""
    said = remote.run(script('[ ! -e "$1" ] || flock -n "$1" true || echo held', LOCK))
    return said == ["held"]


class FleetLock:
    """The locks of every host of a run."""

    def __init__(self, locks: Sequence[HostLock], identity: str) -> None:
        self._locks, self._identity = locks, identity
        self._end = audit.ended(identity, audit.FAILED, "did not say how it ended")
        self._beginning: list[gevent.Greenlet] = []

    def check(self) -> None:
        """Raises LockLost where any host's lock is gone. Called before each change."""
        for lock in self._locks:
            if lock.is_lost:
                raise LockLost(lock.host.name, "this run has lost its lock there; nothing further was changed")

    def begin(self, entry: audit.Entry) -> None:
        """Every host begins to write down who is at work."""
        line = audit.begun(self._identity, entry)
        self._beginning = [gevent.spawn(lock.begin, line) for lock in self._locks]

    def begun(self) -> None:
        """Waits until every host has written down who is at work. Raises LockFailed where one cannot."""
        gevent.joinall(self._beginning, raise_error=True)

    def ended(self, code: int, how: str) -> None:
        """How the run has ended, for the audit; the last word counts."""
        self._end = audit.ended(self._identity, code, how)

    def release(self) -> None:
        gevent.joinall([gevent.spawn(lock.release, self._end) for lock in self._locks])


@contextmanager
def locked(hosts: Sequence[Host], claim: Claim, say: Callable[[str], None] = lambda line: None) -> Iterator[FleetLock]:
    """The locks of all these hosts, or none of them and LockHeld or LockFailed. Every host has it in its audit, too
    where its holder only looks first."""
    lock = _taken(hosts, claim, say)
    try:
        lock.begin(claim.entry)
        if not claim.looks_first:
            lock.begun()
        yield lock
        lock.begun()
    except BaseException as error:
        lock.ended(*audit.ending_of(error))
        raise
    finally:
        lock.release()


def _taken(hosts: Sequence[Host], claim: Claim, say: Callable[[str], None]) -> FleetLock:
    """Waits for other holders as long as the claim says; none is held meanwhile, so that nobody waits for who waits.

    While it waits, it knocks at one host's door only.
    """
    deadline = time.monotonic() + (claim.wait if claim.by == PERSON else 0)
    told_of = ""
    while True:
        try:
            return _take_all(hosts, claim, say, ahead=not told_of)
        except LockHeld as error:
            left = deadline - time.monotonic()
            if left <= 0:
                raise
            if str(error) != told_of:
                told_of = str(error)
                say(f"{told_of}; waiting for at most {left:.0f} s")
            gevent.sleep(min(ASK_AGAIN_SECONDS, left))


def _take_all(hosts: Sequence[Host], claim: Claim, say: Callable[[str], None], ahead: bool) -> FleetLock:
    try:
        return _taken_by(_first_then_the_rest, hosts, claim, say, ahead)
    except LockHeld as error:
        if not isinstance(error, _OneOfTheRestIsHeld):
            raise
    # Two runs over other sets of hosts may have taken them from each other: in order one of the two gets through.
    return _taken_by(_in_order, hosts, claim, say)


def _taken_by(
    take: Callable[[Sequence[HostLock], str, str], None], hosts: Sequence[Host], claim: Claim,
    say: Callable[[str], None], ahead: bool = False,
) -> FleetLock:  # fmt: skip
    """
    + ahead: begins on every host at once, and lets each go on when it is its turn
    """
    identity, holder = audit.new_id(), claim.holder()
    locks = [HostLock(host, say) for host in hosts]
    try:
        for lock in locks if ahead else ():
            lock.open(identity, holder, waits=lock is not locks[0])
        if ahead and claim.looks_first:
            ready_to_ask(hosts)
        take(locks, identity, holder)
    except BaseException:
        gevent.joinall([gevent.spawn(lock.release) for lock in locks])
        raise
    return FleetLock(locks, identity)


class _OneOfTheRestIsHeld(LockHeld):
    """Not the first host's lock, by which runs over the same hosts decide who goes on."""


def _first_then_the_rest(locks: Sequence[HostLock], token: str, holder: str) -> None:
    """Two runs over the same hosts meet at the first; whoever has that takes the others at once, unhindered."""
    _in_order(locks[:1], token, holder)
    jobs = [gevent.spawn(lock.take, token, holder) for lock in locks[1:]]
    try:
        gevent.joinall(jobs, raise_error=True)
    except LockHeld as error:
        raise _OneOfTheRestIsHeld(str(error)) from error
    finally:
        gevent.killall(jobs)


def _in_order(locks: Sequence[HostLock], token: str, holder: str) -> None:
    """In inventory order, one after the other: of any runs that want the same host, one gets all that it wants."""
    for lock in locks:
        lock.take(token, holder)


def _refused(host: str, kind: str, rest: str) -> str:
    if kind == "orphans":
        what = at_work.told(rest.split(";")) or "a command"
        return f"{host}: {what} of an earlier run has been at work for {ORPHAN_SECONDS} s and more; nothing was changed"
    return f"{host}: {told(by)}" if "who" in (by := read_holder(rest)) else f"{host}: another run holds the lock"
