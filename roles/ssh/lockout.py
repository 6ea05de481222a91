"""Settings that are known to shut Slipway out, before anything is connected to."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

from roles.ssh.data import Ssh
from slipway.context import Context
from slipway.problems import Problem


def lockouts(data: Ssh, ctx: Context) -> Iterator[Problem]:
    """What of the data would keep the inventory's own login user out, as far as it can be known here."""
    login, port = ctx.host.login, ctx.host.ssh_port or 22
    if data.ports and port not in data.ports:
        hint = f"add {port}, move the inventory's ssh_port once both are open, and take {port} out after that"
        yield Problem("ssh.ports", f"lacks {port}, which the inventory connects to", hint)
    if login and data.allow_users and not _is_allowed(login, data.allow_users):
        yield Problem(
            "ssh.allow_users", f"lacks {login!r}, who Slipway logs in as", f"add {login!r}, or leave it empty"
        )
    if login == "root" and data.permit_root_login == "no":
        hint = 'write "prohibit-password", or let the inventory log in as somebody else'
        yield Problem("ssh.permit_root_login", "keeps root out, who Slipway logs in as", hint)


def _is_allowed(login: str, patterns: list[str]) -> bool:
    """Whether the account's own part of a pattern names it; where it may come from is known to the host alone."""
    return any(fnmatchcase(login, pattern.partition("@")[0]) for pattern in patterns)
