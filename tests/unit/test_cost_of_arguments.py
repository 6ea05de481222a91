"""pyinfra's arguments are worked out as pyinfra does, for a tenth of the time."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyinfra.api import Config, Inventory, State
from pyinfra.api.arguments import CONNECTOR_ARGUMENT_KEYS
from pyinfra.api.arguments import pop_global_arguments as stock
from pyinfra.api.exceptions import ArgumentTypeError
from pyinfra.api.facts import _handle_fact_kwargs as stock_fact_kwargs
from pyinfra.api.facts import _make_command
from pyinfra.api.host import Host
from pyinfra.context import ctx_config

from slipway.facts.files import PathFact
from slipway.seam.arguments import KEYS, call_arguments, pop_global_arguments
from slipway.seam.facts import _question

VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(0, 3), st.sampled_from(["", "ops", "yes"]), st.just({"A": "b"}), st.just([0])
)
DATA = st.dictionaries(st.sampled_from([*sorted(KEYS), "other", "nginx"]), VALUES, max_size=4)
LAYERS = ("given", "enclosing", "override", "host", "group", "everywhere", "deploy", "assigned", "config")


def hosts_of(layers: dict[str, dict[str, Any]]) -> tuple[State, Host]:
    """A host that says something of the arguments wherever that can be said."""
    inventory = Inventory(
        (["web1"], layers["everywhere"]), override_data=layers["override"],
        web=([("web1", layers["host"])], layers["group"]),
    )  # fmt: skip
    state = State(inventory, Config())
    host = inventory.get_host("web1")
    host.current_deploy_kwargs = layers["enclosing"] or None  # type: ignore[assignment]
    host.current_deploy_data = layers["deploy"]
    for key, value in layers["assigned"].items():
        setattr(host.data, key, value)
    return state, host


def outcome(work_out: Callable[..., Any], layers: dict[str, dict[str, Any]]) -> tuple[Any, ...]:
    """What a function makes of it: arguments, which were given, what is left; or why it refuses."""
    state, host = hosts_of(layers)
    given = {**layers["given"], "path": "/etc/motd"}
    config = Config()
    for key, value in layers["config"].items():
        setattr(config, key.lstrip("_").upper(), value)
    config.ENV = {"LANG": "C"}
    with ctx_config.use(config):
        try:
            arguments, found = work_out(state, host, given)
        except (ArgumentTypeError, TypeError, ValueError) as error:
            return type(error), str(error)
    return arguments, set(found), given


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.fixed_dictionaries(dict.fromkeys(LAYERS, DATA)))
def test_arguments_are_those_that_pyinfra_works_out(layers: dict[str, dict[str, Any]]) -> None:
    """Wherever they are said, in whichever type: the same values, and the same refusals."""
    assert outcome(pop_global_arguments, layers) == outcome(stock, layers)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.fixed_dictionaries(dict.fromkeys(LAYERS, DATA)), DATA)
def test_a_fact_of_an_operation_is_asked_as_pyinfra_would(
    layers: dict[str, dict[str, Any]], own: dict[str, Any]
) -> None:
    """As whom, in which directory, with which environment: as the operation is, where the fact says nothing else."""
    state, host = hosts_of(layers)
    with ctx_config.use(Config()):
        try:
            host.current_op_global_arguments, _ = pop_global_arguments(state, host, dict(layers["given"]))
            asked = {key: value for key, value in own.items() if key in KEYS}
            kwargs, wanted = stock_fact_kwargs(state, host, PathFact, ["/etc/motd"], asked)
        except (ArgumentTypeError, TypeError, ValueError):
            return
        command, arguments = _question(state, host, PathFact(), ["/etc/motd"], asked)
    assert arguments == {key: wanted[key] for key in CONNECTOR_ARGUMENT_KEYS}
    assert command.get_raw_value() == _make_command(PathFact().command, kwargs).get_raw_value()


def test_what_nobody_says_costs_next_to_nothing() -> None:
    """A tenth of the time; a quarter is asserted, for a machine that is busy with other things."""
    state, host = hosts_of({**{layer: {} for layer in LAYERS}, "host": {"_sudo": True, "address": "10.0.0.1"}})

    def seconds(work_out: Callable[..., Any]) -> float:
        began = time.process_time()
        for _ in range(300):
            work_out(state, host, {"name": "Write it"})
        return time.process_time() - began

    assert min(seconds(pop_global_arguments) for _ in range(3)) < min(seconds(stock) for _ in range(3)) / 4


@pytest.mark.parametrize(
    ("function", "arguments", "kwargs"),
    [
        (PathFact().command, ["/etc/motd"], {}),
        (PathFact().command, [], {"path": "/etc/motd"}),
        (lambda path, mode="644", *rest, owner="root", **others: None, ["/a", "600", 1], {"group": "adm"}),
        (lambda: None, [], {}),
    ],
)
def test_a_call_has_the_arguments_that_python_gives_it(
    function: Callable[..., Any], arguments: list[Any], kwargs: dict[str, Any]
) -> None:
    """Methods and functions, defaults, and what is left over."""
    assert call_arguments(function, *arguments, **kwargs) == inspect.getcallargs(function, *arguments, **kwargs)


@pytest.mark.parametrize("kwargs", [{}, {"path": "/a", "pth": "/b"}])
def test_a_call_that_cannot_be_is_refused(kwargs: dict[str, str]) -> None:
    """A missing and an unknown name, as Python refuses them."""
    with pytest.raises(TypeError, match=r"path|pth"):
        call_arguments(PathFact().command, **kwargs)
