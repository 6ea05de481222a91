"""Brings a host its sshd settings."""

from __future__ import annotations

from roles.ssh.data import Ssh
from roles.ssh.lockout import lockouts
from slipway.context import Context
from slipway.ops import sshd
from slipway.problems import BadInput
from slipway.render import render


def tasks(data: Ssh, ctx: Context) -> None:
    """The drop-in, in force and confirmed by a new log-in; no drop-in where it is not wanted. Raises BadInput."""
    if not data.enabled:
        sshd.unconfigured(seconds=data.confirm_seconds, name="Leave sshd to the distribution")
        return
    if problems := list(lockouts(data, ctx)):
        raise BadInput(problems)
    content = render("ssh/sshd_config.d/00-slipway.conf.j2", settings=lines(data))
    sshd.configured(content=content, expects=in_force(data), seconds=data.confirm_seconds, name="Configure sshd")


def lines(data: Ssh) -> list[tuple[str, str]]:
    """Keyword and value of every line."""
    answer = "yes" if data.password_authentication else "no"
    found = [("Port", str(port)) for port in data.ports]
    found += [("ListenAddress", address) for address in data.listen_addresses]
    found += [
        ("PermitRootLogin", data.permit_root_login),
        ("PasswordAuthentication", answer),
        ("KbdInteractiveAuthentication", answer),
        ("MaxAuthTries", str(data.max_auth_tries)),
        ("ClientAliveInterval", str(data.client_alive_interval)),
        ("ClientAliveCountMax", str(data.client_alive_count_max)),
    ]
    found += [("AllowUsers", " ".join(data.allow_users))] if data.allow_users else []
    found += [("AllowGroups", " ".join(data.allow_groups))] if data.allow_groups else []
    for key, value in data.settings.items():
        found += [(key, line) for line in ([value] if isinstance(value, str) else value)]
    return found


_SAYS = {"prohibit-password": "without-password"}
"""The old word, which `sshd -T` still says."""


def in_force(data: Ssh) -> list[str]:
    """`keyword value` of what must hold afterwards, as `sshd -T` says it; several values in the order of their text."""
    single = ("PermitRootLogin", "PasswordAuthentication", "KbdInteractiveAuthentication", "MaxAuthTries",
              "ClientAliveInterval", "ClientAliveCountMax")  # fmt: skip
    found = [f"{key.lower()} {_SAYS.get(value, value)}" for key, value in lines(data) if key in single]
    if data.ports:
        found.append(f"port {' '.join(sorted(map(str, data.ports)))}")
    return found
