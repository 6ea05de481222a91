"""What pyinfra's arguments are for one call: the same values as its own functions give, at the cost of what is set.

pyinfra looks each of its 34 arguments up in six places for every operation and every fact, and takes functions'
signatures apart anew each time: half of the controller's time on a host where nothing is to be done.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from pyinfra.api.arguments import all_argument_meta, all_global_arguments
from pyinfra.api.exceptions import ArgumentTypeError
from pyinfra.api.host import Host
from pyinfra.api.state import State
from pyinfra.api.util import raise_if_bad_type
from pyinfra.context import ctx_config

KEYS = frozenset(key for key, _ in all_global_arguments())
ARGUMENTS = tuple(
    (key, all_argument_meta[key].default, all_argument_meta[key].handler, type_)
    for key, type_ in all_global_arguments()
)


def pop_global_arguments(state: State, host: Host, kwargs: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Takes pyinfra's arguments out of `kwargs`: given here, else by the enclosing block, the host's data, the config.

    Also gives the names of those that were given here. Raises ArgumentTypeError.
    """
    config = ctx_config.get() or state.config
    enclosing: Mapping[str, Any] = host.current_deploy_kwargs or {}
    declared = _declared(host)
    found, arguments = [], {}
    for key, default_of, handler, type_ in ARGUMENTS:  # a long line of ifs: a hundred thousand calls a run
        arguments[key] = value = default = getattr(host.data, key) if key in declared else default_of(config)
        if key in kwargs:
            found.append(key)
            value = kwargs.pop(key)
        elif key in enclosing:
            value = enclosing[key]
        if handler is not None:
            value = handler(config, value)
        if value is not default:
            if type(value) is not type_ and value != default:
                raise_if_bad_type(value, type_, ArgumentTypeError, f"Invalid argument `{key}`:")
            arguments[key] = value
    return arguments, found


def _declared(host: Host) -> set[str]:
    """Arguments that the host's data says something of, in whichever layer."""
    layers = [data() if callable(data) else data for data in host.data.datas]
    return {key for layer in layers if not KEYS.isdisjoint(layer) for key in layer if key in KEYS}


def call_arguments(function: Callable[..., Any], *arguments: Any, **kwargs: Any) -> dict[str, Any]:
    """Name to value of every parameter in a call of a function or method. Raises TypeError where it cannot be."""
    owner = [function.__self__] if inspect.ismethod(function) else []
    call = signature(getattr(function, "__func__", function)).bind(*owner, *arguments, **kwargs)
    call.apply_defaults()
    return call.arguments


@cache
def signature(function: Callable[..., Any]) -> inspect.Signature:
    """The same as inspect's, taken apart once."""
    return inspect.signature(function)


def install() -> None:
    """Puts these in the place of pyinfra's. Idempotent."""
    # By their full names: the package's attributes of these names are functions.
    operation, facts = sys.modules["pyinfra.api.operation"].__dict__, sys.modules["pyinfra.api.facts"].__dict__
    for module in (operation, facts, sys.modules["pyinfra.api.deploy"].__dict__):
        module["pop_global_arguments"] = pop_global_arguments
    operation["signature"] = signature
    facts["getcallargs"] = call_arguments
