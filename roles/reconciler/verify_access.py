"""What an operator would see on a host that a reconciler looks after."""

from __future__ import annotations

from typing import Any

from roles.reconciler.access import SUDOERS
from roles.reconciler.data import GROUP, Reconciler
from roles.reconciler.identity import authorized
from slipway.context import Context


def check_who_comes_in(host: Any, data: Reconciler, ctx: Context) -> None:
    """The reconciler's key from the reconciler's addresses, and no other; switched off, nobody."""
    if not ctx.fleet.group(GROUP):
        return
    if not data.enabled or data.pull:
        assert not host.user(data.login).exists, f"{data.login} still has an account"
        assert not host.file(SUDOERS).exists, f"{SUDOERS} is still there"
        return
    lines = host.file(f"/home/{data.login}/.ssh/authorized_keys").content_string.splitlines()
    assert [line for line in lines if not line.startswith("#")] == [authorized(data, ctx)]
    assert host.run("visudo -c").succeeded, "visudo finds fault with the rules"
