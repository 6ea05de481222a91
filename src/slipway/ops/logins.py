"""The account that we log in as: its changes are undone by the host unless we still get in, and become root."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

from pyinfra import host
from pyinfra.api import StringCommand, operation

from slipway.facts.files import Markers
from slipway.facts.users import AccountFact
from slipway.ops import dropins, files, users
from slipway.ops.guarded import Guard, guarded, run_as
from slipway.problems import BadInput, Problem

_ACCOUNTS = ("/etc/passwd", "/etc/shadow", "/etc/group", "/etc/gshadow")


@operation()
def account(user: str, home: str, **wanted: Any) -> Generator[StringCommand]:
    """As `users.account`, guarded. Raises BadInput where its home would move: that takes its keys along."""
    found = host.get_fact(AccountFact, user=user)
    if found.exists and found.home != home:
        hint = f"set home={found.home!r} in the data, or let somebody else move it by hand"
        raise BadInput([Problem(f"user {user}", f"is who Slipway logs in as; its home is {found.home}", hint)])
    yield from guarded(Guard("login", _ACCOUNTS), [*users.account._inner(user, home=home, **wanted)])


@operation()
def keys(user: str, directory: str, content: str, check: Sequence[str] = ()) -> Generator[StringCommand]:
    """The account's authorized_keys, guarded. Written as the user: a link in its home leads root nowhere."""
    path = f"{directory}/authorized_keys"
    steps = [
        *files.directory._inner(directory, mode="700", owner=user, group=user),
        *files.put._inner(path, content, mode="600", owner=user, group=user, check=check),
    ]
    yield from guarded(Guard("login", (path,)), [run_as(user, step) for step in steps])


@operation()
def sudo_rules(path: str, content: str, check: Sequence[str]) -> Generator[StringCommand]:
    """What it may do as root, guarded."""
    yield from guarded(Guard("login", (path,)), [*files.put._inner(path, content, mode="440", check=check)])


@operation()
def only(directory: str, pattern: str, keep: Sequence[str], ours: str) -> Generator[StringCommand]:
    """As `dropins.only`, guarded where the file that gives our own account its rights is among those that go."""
    steps = [*dropins.only._inner(directory, pattern, keep)]
    is_ours = ours in host.get_fact(Markers, directory=directory) and ours not in keep
    yield from guarded(Guard("login", (f"{directory}/{ours}",)), steps) if is_ours else steps
