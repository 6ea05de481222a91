"""People's accounts, their keys, and what they may do as root."""

from __future__ import annotations

from roles.base.data import Base
from roles.base.users import User
from slipway.ops import dropins, files, users
from slipway.render import render


def accounts(data: Base) -> None:
    """Who is named has an account; a right that is no longer named is taken away."""
    for user in data.users:
        account(user)
    keep = [f"slipway-{user.name}" for user in data.users if user.sudo]
    dropins.only(
        directory="/etc/sudoers.d", pattern="slipway-*", keep=keep, name="Take away sudo rules no longer wanted"
    )
    for name in data.absent_users:
        users.gone(user=name, name="Remove an account")


def account(user: User) -> None:
    """One account with its keys and sudo rules."""
    users.account(user=user.name, uid=user.uid, comment=user.comment, home=user.home_directory, shell=user.shell,
                  groups=user.groups, name="Make an account")  # fmt: skip
    if user.authorized_keys is not None:
        write_keys(user, user.authorized_keys)
    if user.sudo:
        rules = render("base/sudoers.j2", user=user.name, rules=user.sudo)
        files.put(path=f"/etc/sudoers.d/slipway-{user.name}", content=rules, mode="440",
                  check=["visudo", "-cf", files.CANDIDATE], name="Write sudo rules")  # fmt: skip


def write_keys(user: User, keys: list[str]) -> None:
    """Written as the user: root following a link that the user put into the way would write anywhere."""
    directory = f"{user.home_directory}/.ssh"
    content = render("base/authorized_keys.j2", keys=keys)
    check = ["ssh-keygen", "-l", "-f", files.CANDIDATE] if keys else []
    files.directory(
        path=directory, mode="700", owner=user.name, group=user.name, name="Make .ssh", _sudo_user=user.name
    )
    files.put(path=f"{directory}/authorized_keys", content=content, mode="600", owner=user.name, group=user.name,
              check=check, name="Write authorized_keys", _sudo_user=user.name)  # fmt: skip
