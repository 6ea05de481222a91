"""Which host keys are known, and what becomes of a host whose key is not: it is refused, nobody is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyinfra.connectors.sshuserclient.client as ssh_client


def host_keys(filenames: tuple[str, ...]) -> Any:
    """The keys in these files, as they are now: pyinfra reads a file once for the life of the process."""
    stamps = tuple((name, _stamp(name)) for name in filenames)
    if stamps not in _keys:
        _stock_host_keys.cache.clear()
        _keys[stamps] = _stock_host_keys(filenames)
    return _keys[stamps]


def _stamp(name: str) -> tuple[int, int, int]:
    try:
        found = Path(name).stat()
    except OSError:
        return (0, 0, 0)
    return (found.st_ino, found.st_size, found.st_mtime_ns)


_stock_host_keys: Any = ssh_client.get_host_keys
_keys: dict[Any, Any] = {}


_stock_policy: Any = ssh_client.get_missing_host_key_policy


def policy_without_prompts(policy: str | None) -> Any:
    """What pyinfra would ask a person is refused: a scheduled run has nobody to ask."""
    return ssh_client.StrictPolicy() if policy in (None, "ask") else _stock_policy(policy)
