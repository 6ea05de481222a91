"""Who ran what from where, with which commit, on which hosts, and how it ended: written on the hosts themselves.

Never in it: values of data, `--data`, output of commands, and what an error quotes from a host.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from slipway.engine.run import Run
from slipway.facts.audit import record
from slipway.paths import project_root
from slipway.problems import BAD_INPUT, BadInput
from slipway.release import origin
from slipway.remote import Remote
from slipway.who import now, who

FAILED = 1
MOST_NAMED = 40
"""Hosts that a line names: each host's own file has the line, so that all can be found without it."""


@dataclass(frozen=True)
class Entry:
    """What a run says of itself when it begins. The host adds the address that it sees it come from."""

    command: str
    """deploy, rollback, ...; as it is typed."""
    inventory: str = ""
    limit: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    """The first ones of many."""
    commit: str = ""
    """With `-dirty` where files differ from it."""
    release: str = ""
    who: str = ""
    at: str = ""
    """UTC, by the controller's clock."""


def new_id() -> str:
    """Of one run; nobody can guess it, and no two are the same."""
    return secrets.token_hex(8)


def entry(run: Run, command: str, hosts: Iterable[str]) -> Entry:
    """What a run that is declared is about to do."""
    names = tuple(hosts)
    return Entry(
        command, run.fleet.inventory, tuple(run.limit), names[:MOST_NAMED], origin(project_root()).commit,
        run.release.id if run.release else "", who(), now(),
    )  # fmt: skip


def begun(identity: str, said: Entry) -> str:
    """The line of a beginning."""
    return json.dumps({"id": identity, **asdict(said)})


def ended(identity: str, code: int, how: str) -> str:
    """The line of an end."""
    return json.dumps({"id": identity, "code": code, "how": how[:200], "ended": now()})


def note(remotes: Iterable[Remote], said: Entry, how: str) -> None:
    """Something that a person asked for and that was done at once, without a lock. Raises RemoteFailed."""
    identity = new_id()
    line = json.dumps({"id": identity, **asdict(said), "code": 0, "how": how, "ended": now()})
    for remote in remotes:
        remote.run(record(line))


def ending_of(error: BaseException) -> tuple[int, str]:
    """The exit code that a run ends with because of this, and a sentence without anything that a host has said."""
    if isinstance(error, SystemExit):
        code = error.code if isinstance(error.code, int) else FAILED
        return code, {130: "interrupted", 143: "terminated"}.get(code, "ended")
    if isinstance(error, KeyboardInterrupt):
        return 130, "interrupted"
    if isinstance(ending := getattr(error, "ending", None), tuple):
        return ending
    if isinstance(error, BadInput):
        return BAD_INPUT, f"refused: {len(error.problems)} problems"
    return FAILED, f"failed: {type(error).__name__}"
