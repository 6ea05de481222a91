"""Redis: users and settings tried by a Redis of their own before they go live, then brought to the running one."""

from __future__ import annotations

import hashlib
from collections.abc import Generator

from pyinfra import host
from pyinfra.api import StringCommand, operation

from slipway.disruption import Disruption, disrupts
from slipway.facts.files import Markers, script
from slipway.facts.redis import ACL, ADMIN, CONF, AdminHash, RedisFact, Running
from slipway.facts.units import UnitFact
from slipway.ops import files, units
from slipway.ops.redis_script import APPLY, KEEP_DATA, LEARN, LOAD_USERS, TRY
from slipway.report import note_change

UNIT = "redis-server.service"
RESTART = f"restart:{UNIT}"
LOADING_SECONDS = 600
"""How long a restarted Redis may read its data: some ten gigabytes at the speed of a slow disk."""


@operation()
def admin() -> Generator[StringCommand]:
    """Root of the host has a password of its own for Redis, made there; with it settings are read and set."""
    if host.get_fact(AdminHash):
        return
    note_change(ADMIN, "new password, made on the host")
    yield script(
        'set -eu; umask 077; mkdir -p -- "${1%/*}"; tmp=$(mktemp -- "$1.XXXXXX"); '
        'od -An -N32 -tx1 /dev/urandom | tr -d " \\n" > "$tmp"; [ "$(wc -c < "$tmp")" = 64 ]; mv -fT -- "$tmp" "$1"',
        ADMIN,
    )


@operation()
def users(lines: str) -> Generator[StringCommand]:
    """The ACL file holds these users and the host's own `slipway`, loaded by a Redis of its own first."""
    content = f"{lines}user slipway on #{host.get_fact(AdminHash)} ~* &* +@all\n"
    check = ("sh", "-c", TRY, "slipway", "users", files.CANDIDATE)
    yield from files.put._inner(ACL, content, mode="640", group="redis", check=check, secret=True)


@operation()
def configured(content: str) -> Generator[StringCommand]:
    """redis.conf is this, started by a Redis of its own first: on a socket, without a port, in an empty directory."""
    check = ("sh", "-c", TRY, "slipway", "settings", files.CANDIDATE)
    yield from files.put._inner(CONF, content, mode="640", group="redis", check=check)


@operation()
def started() -> Generator[StringCommand]:
    """It runs and starts at boot. Data that was saved before an append-only file was wanted is not left behind."""
    found = host.get_fact(UnitFact, unit=UNIT)
    if not found.is_running:
        note_change(UNIT, "start")
        yield script(KEEP_DATA)
    yield from units.unit._inner(UNIT)
    if not found.is_running:
        # A process that has only just started works by what is there: no restart is owed to it.
        yield script('exec rm -f -- "$1"', f"{files.OWED}/{RESTART}")


@operation()
def settled(content: str) -> Generator[StringCommand]:
    """The running Redis works by redis.conf, which is `content`, and by the ACL file.

    What can be set while it runs is set, the rest is brought by a restart.

    What it runs with is compared with what the file comes to in its own words, so that neither a setting changed by
    hand nor a restart that a dead run owed is missed. An append-only file is complete before any restart.
    """
    found = host.get_fact(RedisFact)
    if not found.is_active:
        return
    if found.learnt_from != hashlib.sha256(content.encode()).hexdigest():
        note_change(UNIT, "take over what is new in redis.conf")
        yield script(LEARN)
        found = host.get_fact(RedisFact)
    for command in _settings(found):
        yield command
        found = host.get_fact(RedisFact)
    if not found.acl_known or found.acl_differs:
        note_change("users of Redis", "changed by hand" if found.acl_differs else "load")
        yield script(LOAD_USERS)


def _settings(found: Running) -> Generator[StringCommand]:
    owed = RESTART in host.get_fact(Markers, directory=files.OWED)
    for key, (running, wanted) in found.drift.items():
        note_change(f"redis {key}", f"{running or 'nothing'} -> {wanted or 'nothing'}")
    if owed or not found.answers:
        note_change(UNIT, "owed restart" if owed else "restart: it does not answer", is_owed=owed)
    if owed or not found.answers or found.drift:
        disrupts(Disruption("restart redis" if owed else "settings of redis", seconds=LOADING_SECONDS))
        pairs = [word for key, (_, wanted) in found.drift.items() for word in (key, wanted)]
        must = "yes" if owed or not found.answers else "no"
        words = script(APPLY, must, str(LOADING_SECONDS), files.OWED, *pairs)
        yield StringCommand(*words.bits, _timeout=2 * LOADING_SECONDS)
