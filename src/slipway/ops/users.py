"""Accounts and groups. pyinfra's own `server.user` leaves group memberships that were taken away."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from pyinfra import host
from pyinfra.api import StringCommand, operation

from slipway.facts.files import script
from slipway.facts.users import Account, AccountFact, GroupMembers
from slipway.problems import BadInput, Problem
from slipway.report import note_change

KEPT_GROUPS = frozenset({"docker"})
"""Groups whose members another role says: an account's membership in them is not `account`'s to take away."""


@operation()
def account(
    user: str,
    uid: int | None = None,
    comment: str = "",
    home: str = "",
    shell: str = "/bin/bash",
    groups: Sequence[str] = (),
) -> Generator[StringCommand]:
    """A person's account with these supplementary groups and no others, without a password.

    Fails where the account exists with another uid, because its files would become nobody's, or a group is missing.
    """
    found = host.get_fact(AccountFact, user=user)
    if found.exists and uid is not None and found.uid != uid:
        hint = f"set uid={found.uid} in the data, or move the account by hand: its files belong to the old number"
        raise BadInput([Problem(f"user {user}", f"has uid {found.uid} on this host, wanted {uid}", hint)])
    kept = found.groups & KEPT_GROUPS
    wanted = Account(True, found.uid, comment, home or f"/home/{user}", shell, frozenset(groups) | kept)
    if found == wanted:
        return
    note_change(f"user {user}", _what_differs(found, wanted) if found.exists else "new account")
    if found.exists:
        yield script('user=$1; shift; exec usermod "$@" -- "$user"', user, *_differing_words(found, wanted))
    else:
        # `*` lets nobody in by password and, unlike `!`, does not lock the account for keys.
        words = ["--create-home", "--user-group", "--password", "*", *(["--uid", str(uid)] if uid is not None else [])]
        words += _differing_words(found, wanted)
        yield script('user=$1; shift; exec useradd "$@" -- "$user"', user, *words)


@operation()
def gone(user: str) -> Generator[StringCommand]:
    """No such account. Its home and files stay: what they are worth is a person's to say."""
    if not host.get_fact(AccountFact, user=user).exists:
        return
    note_change(f"user {user}", "account removed, files kept")
    yield script('exec userdel -- "$1"', user)


@operation()
def members(group: str, users: Sequence[str]) -> Generator[StringCommand]:
    """The group lists these accounts and no others. A group that is not there has nobody to take out."""
    found = host.get_fact(GroupMembers, group=group)
    if found == frozenset(users) or (found is None and not users):
        return
    note_change(f"group {group}", f"members: {', '.join(sorted(users)) or 'none'}")
    yield script('exec gpasswd --members "$2" -- "$1"', group, ",".join(users))


def _differing_words(found: Account, wanted: Account) -> list[str]:
    """Options of useradd and usermod for what differs; both know the same ones."""
    words: list[str] = []
    for option, name in (("--comment", "comment"), ("--shell", "shell")):
        if getattr(found, name) != getattr(wanted, name):
            words += [option, getattr(wanted, name)]
    if found.home != wanted.home:
        words += ["--home-dir" if not found.exists else "--home", wanted.home]
        words += ["--move-home"] if found.exists else []
    if found.groups != wanted.groups:
        words += ["--groups", ",".join(sorted(wanted.groups))]
    return words


def _what_differs(found: Account, wanted: Account) -> str:
    names = [name for name in ("comment", "home", "shell") if getattr(found, name) != getattr(wanted, name)]
    more, less = sorted(wanted.groups - found.groups), sorted(found.groups - wanted.groups)
    return ", ".join([*names, *(f"+group {group}" for group in more), *(f"-group {group}" for group in less)])
