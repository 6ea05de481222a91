"""Lets the reconciler in, on every host of the fleet: an account of its own, its key, and sudo."""

from __future__ import annotations

from roles.base.accounts import sudo_rules, write_keys
from roles.base.users import User
from roles.reconciler.data import GROUP, Reconciler
from roles.reconciler.identity import authorized
from slipway.context import Context
from slipway.ops import files, packages, users

SUDOERS = "/etc/sudoers.d/reconciler"
"""Not one of base's `slipway-*`, which takes away what its own users do not have."""


def access_tasks(data: Reconciler, ctx: Context) -> None:
    """Its account where somebody reconciles; none of it where `enabled` says no. Raises BadInput for an unfit key."""
    if not ctx.fleet.group(GROUP):
        return
    if not data.enabled or data.pull:  # a host that converges itself lets nobody in for that
        nobody_comes_in(data)
        return
    user = User(name=data.login, comment="Slipway reconciler", sudo=["ALL=(ALL) NOPASSWD: ALL"])
    packages.installed(names=["sudo"], start=False, name="Install sudo for the reconciler")
    users.account(user=user.name, comment=user.comment, home=user.home_directory, shell=user.shell,
                  name="Make the reconciler's account")  # fmt: skip
    # Its home may be that of an account of this name that was there before, and belong to nobody now.
    files.directory(path=user.home_directory, mode="700", owner=user.name, group=user.name,
                    name="Make the reconciler's home its own")  # fmt: skip
    write_keys(user, [authorized(data, ctx)])
    files.put(path=SUDOERS, content=sudo_rules(user), mode="440", check=["visudo", "-cf", files.CANDIDATE],
              name="Write the reconciler's sudo rule")  # fmt: skip


def nobody_comes_in(data: Reconciler) -> None:
    """No sudo rule, no account, and no key in the home that it leaves."""
    files.absent(path=SUDOERS, name="Take away the reconciler's sudo rule")
    users.gone(user=data.login, name="Remove the reconciler's account")
    for path in (".ssh/authorized_keys", ".ssh"):
        files.absent(path=f"/home/{data.login}/{path}", name="Take away the reconciler's own key")
