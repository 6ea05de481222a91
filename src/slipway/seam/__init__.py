"""Where Slipway meets pyinfra: every one of its internals that we touch is touched in this package.

Written against pyinfra 3.10.0. `install()` makes both entry points safe; each correction has a test in
tests/hosts/test_seam.py or tests/unit/test_host_keys.py that fails without it.
"""

from __future__ import annotations

import functools
import gc
import sys
from collections.abc import Callable
from typing import Any

import pyinfra
import pyinfra.api.host
import pyinfra.connectors.sshuserclient.client as ssh_client
from gevent.hub import Hub
from pyinfra.api.exceptions import PyinfraError
from pyinfra.api.host import Host
from pyinfra.api.inventory import Inventory

from slipway.problems import BadInput, Problem
from slipway.seam import arguments, facts, host_keys, jump, operations, python_files
from slipway.seam.errors import RemoteFailed

WRITTEN_AGAINST = "3.10.0"

SELDOM = 20_000
"""Objects made after which Python looks for garbage among them; its own is 700. `./slipway` may have said more."""


def install() -> None:
    """Makes pyinfra in this process safe. Idempotent; refuses another version than it was written against."""
    if pyinfra.__version__ != WRITTEN_AGAINST:
        what = f"version {pyinfra.__version__} is installed"
        raise BadInput([Problem("pyinfra", what, f"Slipway needs {WRITTEN_AGAINST}; ./slipway installs it")])
    ssh_client.get_host_keys = host_keys.host_keys
    ssh_client.get_missing_host_key_policy = host_keys.policy_without_prompts
    operations.operation_module.solve_operation_consistency = operations.operation_identity
    arguments.install()
    operations.operation_module.pop_global_arguments = operations.arguments_with_conditions
    facts.facts_module.get_fact = pyinfra.api.host.get_fact = facts.get_fact
    jump.install()
    python_files.install()
    # Whoever waits for a greenlet tells what it raised; gevent would print a traceback besides.
    Hub.NOT_ERROR = tuple(dict.fromkeys((*Hub.NOT_ERROR, RemoteFailed, PyinfraError)))
    _ask_once()
    # What a run makes stays to its end: looking through it for garbage took a sixth of the time, more with each host.
    if gc.get_threshold()[0] < SELDOM:
        gc.set_threshold(SELDOM, 20, 20)
    _replace(Host, "deploy", operations.enclosing_deploy)
    _replace(Inventory, "get_active_hosts", operations.active_in_order)


def _ask_once() -> None:
    """What cannot change within a process is worked out once: pyinfra reads every installed package's entry points for
    each inventory, and the types of its arguments for each operation; together a third of a validation's time."""
    for name, users in ONCE.items():
        function = getattr(users[0], name)
        if not hasattr(function, "cache_info"):
            cached = functools.cache(function)
            for user in users:
                setattr(user, name, cached)


ONCE = {
    "get_all_connectors": (sys.modules["pyinfra.api.connectors"], sys.modules["pyinfra.api.inventory"]),
    "all_global_arguments": (sys.modules["pyinfra.api.arguments"],),
}
"""Function to the modules that know it by name, its own first."""


def _replace(owner: type, name: str, function: Callable[..., Any]) -> None:
    """Puts a method of ours in the place of pyinfra's."""
    setattr(owner, name, function)
