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
    dropins.only("/etc/sudoers.d", "slipway-*", keep, name="Take away sudo rules that are no longer wanted")
    for name in data.absent_users:
        users.gone(name, name="Remove an account")


def account(user: User) -> None:
    """One account with its keys and sudo rules."""
    users.account(user.name, user.uid, user.comment, user.home_directory, user.shell, user.groups,
                  name="Make an account")  # fmt: skip
    if user.authorized_keys is not None:
        write_keys(user, user.authorized_keys)
    if user.sudo:
        files.put(f"/etc/sudoers.d/slipway-{user.name}", render("base/sudoers.j2", user=user.name, rules=user.sudo),
                  mode="440", check=["visudo", "-cf", files.CANDIDATE], name="Write sudo rules")  # fmt: skip


def write_keys(user: User, keys: list[str]) -> None:
    """Written as the user: root following a link that the user put into the way would write anywhere."""
    directory = f"{user.home_directory}/.ssh"
    content = render("base/authorized_keys.j2", keys=keys)
    check = ["ssh-keygen", "-l", "-f", files.CANDIDATE] if keys else []
    files.directory(directory, "700", user.name, user.name, _sudo_user=user.name, name="Make .ssh")
    files.put(f"{directory}/authorized_keys", content, "600", user.name, user.name, check, _sudo_user=user.name,
              name="Write authorized_keys")  # fmt: skip
