"""What an operator would see on a host that reconciles the fleet."""

from __future__ import annotations

from typing import Any

from roles.reconciler.data import Reconciler
from roles.reconciler.here import account_of, has_key, is_here
from roles.reconciler.tasks import AGE_KEY, KEY, KNOWN_HOSTS, SIGNERS, UNIT
from slipway.context import Context


def check_the_timer_runs(host: Any, data: Reconciler, ctx: Context) -> None:
    """It will run again, and after a reboot too; switched off, it will not."""
    if not is_here(data, ctx):
        return
    timer = host.service(f"{UNIT}.timer")
    assert timer.is_running == data.enabled, f"{UNIT}.timer is in the wrong state"
    assert timer.is_enabled == data.enabled, f"{UNIT}.timer is in the wrong state at boot"


def check_its_keys_are_its_own(host: Any, data: Reconciler, ctx: Context) -> None:
    """Nobody else reads its keys; switched off, it has none."""
    keys = (*([KEY] if has_key(data) else []), *([AGE_KEY] if data.age_key else []))
    for path in keys if is_here(data, ctx) else ():
        file = host.file(path)
        if not data.enabled:
            assert not file.exists, f"{path} is still there"
            continue
        assert (file.user, file.mode) == (account_of(data), 0o400), f"{path} is {file.user}'s with mode {file.mode:o}"


def check_whom_it_trusts_is_not_its_to_say(host: Any, data: Reconciler, ctx: Context) -> None:
    """Whose signatures are good, and which host keys, only root can change."""
    for path in (SIGNERS, KNOWN_HOSTS) if data.enabled and is_here(data, ctx) else ():
        file = host.file(path)
        assert (file.user, file.mode) == ("root", 0o640), f"{path} is {file.user}'s with mode {file.mode:o}"
