"""What an operator would see on a host whose sshd is ours."""

from __future__ import annotations

from typing import Any

from roles.ssh.data import Ssh
from roles.ssh.tasks import in_force
from slipway.context import Context
from slipway.ops.guarded_script import GUARDED
from slipway.ops.sshd import DROP_IN


def check_settings_are_in_force(host: Any, data: Ssh, ctx: Context) -> None:
    """sshd works by our settings, whatever other files say."""
    if not data.enabled:
        assert not host.file(DROP_IN).exists, f"{DROP_IN} is still there"
        return
    found: dict[str, list[str]] = {}
    for line in host.check_output("$(command -v sshd || echo /usr/sbin/sshd) -T").splitlines():
        key, _, value = line.partition(" ")
        found.setdefault(key, []).append(value)
    for wanted in in_force(data):
        key, _, value = wanted.partition(" ")
        assert sorted(found[key]) == value.split(), f"sshd has {key} {found[key]}, wanted {value}"


def check_it_listens(host: Any, data: Ssh, ctx: Context) -> None:
    """It listens on its ports, and starts at boot."""
    if data.enabled:
        for port in data.ports:
            assert host.check_output("ss -Hltn sport = :%s", str(port)), f"nothing listens on port {port}"
        assert host.service("ssh").is_running


def check_nothing_waits_for_its_confirmation(host: Any, data: Ssh, ctx: Context) -> None:
    """No change is about to be undone."""
    assert not host.file(GUARDED).exists, f"a change is not confirmed; see {GUARDED}"
