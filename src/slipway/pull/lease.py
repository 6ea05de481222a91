"""The lease by which hosts that converge themselves take turns: locks with a time to live in a Redis of the stack.

The lock is redis-py's own (SET NX with a token, compared before it is extended or released). As many names as a policy
lets hosts go at once; whoever has one of them may begin a step.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from typing import Any

import gevent
from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.exceptions import LockNotOwnedError, NoPermissionError
from redis.lock import Lock
from redis.retry import Retry

from slipway.pull import LeaseOver, NoTurn
from slipway.pull.place import Place
from slipway.pull.term import Term, boot_seconds, seconds_for

MARGIN = 15.0
"""Seconds that a lease holds beyond the step that it is for: two renewals may fail and a third still comes in time."""
RENEW_SECONDS = 5.0
FIRST_SECONDS = 60.0
"""Of the lease before its first step is known, and between two of them."""
ASK_AGAIN_SECONDS = 0.5
"""Between two tries for a turn: twenty hosts ask forty times a second, and Redis answers in less than a millisecond."""
ANSWER_SECONDS = 3.0
"""A Redis that takes longer is not reachable: what it says of a lease is worth less the later it comes."""


@dataclass(frozen=True)
class Mark:
    """A change that failed on a host: no other one goes on with it."""

    host: str
    stage: str
    change: str
    """What tells the change from another: the commit, and the release."""
    since: str
    """UTC."""


class Lease:
    """Held, and renewed while its holder is at work."""

    def __init__(self, lock: Lock, term: Term) -> None:
        self._lock, self._term = lock, term
        self._seconds = term.seconds
        self._is_lost = False
        self._renewing = gevent.spawn(self._renew)

    def hold(self, step_seconds: float) -> None:
        """It is ours, asked of Redis now, and holds for a step that takes so long. Raises LeaseOver."""
        self._seconds = seconds_for(step_seconds, MARGIN)
        try:
            self._extend()
        except RedisError as error:
            raise LeaseOver(f"the lease could not be renewed before the step ({type(error).__name__})") from error

    def begun_by(self, step_seconds: float) -> float:
        """By when, in `boot_seconds`, a step that takes so long has to have begun."""
        return self._term.begun_by(step_seconds)

    def _extend(self) -> None:
        asked_at, seconds = boot_seconds(), self._seconds
        if self._is_lost:
            raise LeaseOver("the lease was over, and somebody else may have it")
        try:
            self._lock.extend(seconds, replace_ttl=True)
        except LockNotOwnedError as error:
            self._is_lost = True
            raise LeaseOver("the lease was over, and somebody else may have it") from error
        self._term = Term(asked_at, seconds)

    def _renew(self) -> None:
        while not self._is_lost:
            gevent.sleep(RENEW_SECONDS)
            with suppress(RedisError, LeaseOver):  # what could not be renewed runs out, and the next step says so
                self._extend()

    def release(self) -> None:
        """Given back; where that cannot be said, it runs out by itself."""
        gevent.kill(self._renewing)
        self._is_lost = True
        with suppress(RedisError):
            self._lock.release()


class Leases:
    """Those of one inventory, in one Redis."""

    def __init__(self, place: Place, inventory: str) -> None:
        self._redis: Redis = Redis(
            host=place.address, port=place.port, username=place.user or None,
            password=place.password.reveal() if place.password else None, db=place.database,
            socket_timeout=ANSWER_SECONDS, socket_connect_timeout=ANSWER_SECONDS, protocol=2, decode_responses=True,
            retry=Retry(NoBackoff(), 0),  # what was sent twice may have been granted twice
        )  # fmt: skip
        self._place, self._inventory = place, inventory
        self._marks = f"slipway:{inventory}:failed"

    @contextmanager
    def held(self, stage: str, slots: int, wait: float) -> Iterator[Lease]:
        """One of so many leases of a stage, within it. Raises NoTurn where none was to be had in `wait` seconds."""
        try:
            self._refuse_forgetful()
            lease = self._taken(stage, slots, wait)
        except RedisError as error:
            raise self._unreachable(error) from error
        try:
            yield lease
        finally:
            lease.release()

    def _taken(self, stage: str, slots: int, wait: float) -> Lease:
        deadline = time.monotonic() + wait
        locks = [
            Lock(self._redis, f"slipway:{self._inventory}:{stage}:{n}", timeout=FIRST_SECONDS, thread_local=False)
            for n in range(slots)
        ]
        while True:
            for lock in locks:
                asked_at = boot_seconds()
                if lock.acquire(blocking=False):
                    return Lease(lock, Term(asked_at, FIRST_SECONDS))
            if time.monotonic() > deadline:
                raise NoTurn(f"others had their turn in {stage!r} for {wait:g} s; the next run tries again")
            gevent.sleep(ASK_AGAIN_SECONDS)

    def _refuse_forgetful(self) -> None:
        """Raises NoTurn where Redis may throw a lease away to make room."""
        try:
            memory: Any = self._redis.info("memory")
        except NoPermissionError:
            return  # a user that may not ask: whoever made it has looked (docs/pull.md)
        policy = memory.get("maxmemory_policy", "noeviction")
        if policy != "noeviction" and memory.get("maxmemory"):
            raise NoTurn(
                f"Redis at {self._place} throws keys away when it is full (maxmemory-policy {policy}), a lease too: "
                "name another one in reconcile.leases"
            )

    def refuse_marked(self, host: str, stage: str, change: str) -> None:
        """Raises NoTurn where this change has failed on another host."""
        try:
            found = [each for each in self._all_marks() if (each.stage, each.change) == (stage, change)]
        except RedisError as error:
            raise self._unreachable(error) from error
        if others := [each for each in found if each.host != host]:
            first = others[0]
            raise NoTurn(
                f"it failed on {first.host} in {stage!r} ({first.since}), and goes no further: mend {first.host}, or "
                f"commit a change; or, to try it on the next host: redis-cli HDEL {self._marks} {first.host}"
            )

    def _all_marks(self) -> Iterator[Mark]:
        told: Any = self._redis.hgetall(self._marks)
        for text in told.values():
            with suppress(ValueError, TypeError):  # somebody else's: no mark of ours
                yield Mark(**json.loads(text))

    def mark(self, mark: Mark) -> str:
        """Others see that this change has failed here. Empty, or why that could not be noted."""
        try:
            self._redis.hset(self._marks, mark.host, json.dumps(asdict(mark)))
        except RedisError as error:
            return f"other hosts could not be told of it: {self._unreachable(error)}"
        return ""

    def unmark(self, host: str) -> None:
        """What failed here is well. Where that cannot be said the mark stays, and the next run says it."""
        with suppress(RedisError):
            self._redis.hdel(self._marks, host)

    def _unreachable(self, error: RedisError) -> NoTurn:
        # Its own words may hold anything but the password, which it never prints; the kind is enough besides.
        return NoTurn(
            f"Redis at {self._place} keeps the leases and cannot be used ({type(error).__name__}: {error}); "
            "what takes something out of service waits for it"
        )
