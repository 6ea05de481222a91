"""People's accounts, their keys, and what they may do as root."""

from __future__ import annotations

from collections.abc import Iterator

from roles.base.data import Base
from roles.base.users import User
from slipway.context import Context
from slipway.ops import dropins, files, logins, users
from slipway.problems import BadInput, Problem
from slipway.render import render

SUDOERS = "/etc/sudoers.d"
NO_SHELLS = ("nologin", "false", "true")


def accounts(data: Base, ctx: Context) -> None:
    """Who is named has an account; a right that is no longer named is taken away. Raises BadInput.

    What is changed of the account that we log in as is undone by the host unless we still get in.
    """
    login = ctx.host.login
    if problems := list(lockouts(data, login)):
        raise BadInput(problems)
    for user in data.users:
        if user.name == login:
            our_account(user)
        else:
            account(user)
    keep = [f"slipway-{user.name}" for user in data.users if user.sudo]
    if login:
        logins.only(directory=SUDOERS, pattern="slipway-*", keep=keep, ours=f"slipway-{login}",
                    name="Take away sudo rules no longer wanted")  # fmt: skip
    else:
        dropins.only(directory=SUDOERS, pattern="slipway-*", keep=keep, name="Take away sudo rules no longer wanted")
    for name in data.absent_users:
        users.gone(user=name, name="Remove an account")


def lockouts(data: Base, login: str) -> Iterator[Problem]:
    """What would keep out the account that we log in as, as far as it can be known here."""
    hint = "let the inventory log in as somebody else first (ssh_user)"
    if login in data.absent_users:
        yield Problem("base.absent_users", f"names {login!r}, who Slipway logs in as", hint)
    for user in data.users:
        if user.name == login and user.authorized_keys == []:
            yield Problem("base.users", f"leave {login!r} no key, who Slipway logs in as", f"name its keys, or {hint}")
        if user.name == login and user.shell.rpartition("/")[2] in NO_SHELLS:
            yield Problem("base.users", f"give {login!r} no shell, who Slipway logs in as", hint)


def account(user: User) -> None:
    """One account with its keys and sudo rules."""
    users.account(user=user.name, uid=user.uid, comment=user.comment, home=user.home_directory, shell=user.shell,
                  groups=user.groups, name="Make an account")  # fmt: skip
    if user.authorized_keys is not None:
        write_keys(user, user.authorized_keys)
    if user.sudo:
        files.put(path=f"{SUDOERS}/slipway-{user.name}", content=sudo_rules(user), mode="440",
                  check=["visudo", "-cf", files.CANDIDATE], name="Write sudo rules")  # fmt: skip


def our_account(user: User) -> None:
    """The same for the account that we log in as."""
    logins.account(user=user.name, uid=user.uid, comment=user.comment, home=user.home_directory, shell=user.shell,
                   groups=user.groups, name="Change the account of the log-in")  # fmt: skip
    if user.authorized_keys is not None:
        logins.keys(user=user.name, directory=f"{user.home_directory}/.ssh", content=keys(user.authorized_keys),
                    check=key_check(user.authorized_keys), name="Write the keys of the log-in")  # fmt: skip
    if user.sudo:
        logins.sudo_rules(path=f"{SUDOERS}/slipway-{user.name}", content=sudo_rules(user),
                          check=["visudo", "-cf", files.CANDIDATE], name="Write sudo rules of the log-in")  # fmt: skip


def write_keys(user: User, wanted: list[str]) -> None:
    """Written as the user: root following a link that the user put into the way would write anywhere."""
    directory = f"{user.home_directory}/.ssh"
    files.directory(
        path=directory, mode="700", owner=user.name, group=user.name, name="Make .ssh", _sudo_user=user.name
    )
    files.put(path=f"{directory}/authorized_keys", content=keys(wanted), mode="600", owner=user.name, group=user.name,
              check=key_check(wanted), name="Write authorized_keys", _sudo_user=user.name)  # fmt: skip


def keys(wanted: list[str]) -> str:
    """What authorized_keys is to hold."""
    return render("base/authorized_keys.j2", keys=wanted)


def key_check(wanted: list[str]) -> list[str]:
    """The program that must accept it; it refuses a file without any."""
    return ["ssh-keygen", "-l", "-f", files.CANDIDATE] if wanted else []


def sudo_rules(user: User) -> str:
    """What sudo is to know of the user."""
    return render("base/sudoers.j2", user=user.name, rules=user.sudo)
