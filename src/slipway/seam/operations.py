"""Operations: who each one is, which conditions hold for it, and running one on one host."""

from __future__ import annotations

import contextlib
import hashlib
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pyinfra
from paramiko import SSHException
from pyinfra import logger
from pyinfra.api import State
from pyinfra.api.exceptions import PyinfraError
from pyinfra.api.host import Host
from pyinfra.api.inventory import Inventory
from pyinfra.connectors.util import CommandOutput
from pyinfra.context import ctx_host

from slipway.disruption import Left, NotNow, TurnNeeded
from slipway.printable import printable
from slipway.problems import BadInput
from slipway.seam.arguments import pop_global_arguments
from slipway.seam.errors import FactFailed, RemoteFailed, TooLate
from slipway.seam.write_ahead import send_together

# `pyinfra.api.operation` is shadowed by the decorator of the same name.
operation_module: Any = sys.modules["pyinfra.api.operation"]
operations_module: Any = sys.modules["pyinfra.api.operations"]
_stock_run = operations_module.run_host_op


def operation_identity(names: set[str], state: State, host: Host) -> tuple[tuple[Any, ...], str]:
    """Who an operation is: the stage, the chain of files and lines that called it, and its name; not lines alone."""
    chain = _call_chain(state.current_deploy_filename)
    order: list[Any] = [getattr(state, "current_op_file_number", 0), ""]
    for line, filename in chain:
        order += [line, filename]
    for position in host.loop_position:
        order += [position, "loop"]
    return _unique(host, order, sorted(names))


def _call_chain(deploy_file: str | None) -> list[tuple[int, str]]:
    """(line, file) of every frame from the deploy file inwards, pyinfra's own left out."""
    chain: list[tuple[int, str]] = []
    frame: Any = sys._getframe(2)
    while frame is not None:
        filename = frame.f_code.co_filename
        if not filename.startswith(_PYINFRA_DIR) and filename != __file__:
            chain.append((frame.f_lineno, filename))
        if deploy_file is not None and filename == deploy_file:
            break
        frame = frame.f_back
    return chain[::-1]


_PYINFRA_DIR = pyinfra.__path__[0]


def _unique(host: Host, order: list[Any], names: list[str]) -> tuple[tuple[Any, ...], str]:
    """The identity of a call; a repeated one (a loop over data) is counted, so that none replaces another."""
    base = hashlib.sha256(repr((order, names)).encode()).hexdigest()
    taken: dict[str, int] = host.connector_data.setdefault("slipway_identities", {})
    count = taken.get(base, 0)
    taken[base] = count + 1
    identity = f"{base}-{count}" if count else base
    host.op_hash_order.append(identity)
    return (*order, count, "again"), identity


def arguments_with_conditions(state: State, host: Host, kwargs: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """pyinfra's global arguments, but an operation's own `_if` adds to the enclosing ones."""
    own = kwargs.get("_if")
    arguments, found = pop_global_arguments(state, host, kwargs)
    outer = _enclosing(host).get("_if")
    arguments["_if"] = _conditions(outer, own) if own is not None else arguments.get("_if")
    # pyinfra binds `_run_once` to whichever host prepares first. Every host prepares it; the executor runs it once,
    # on the first host as the inventory is written.
    arguments["_slipway_run_once"], arguments["_run_once"] = arguments["_run_once"], False
    return arguments, found


def _enclosing(host: Host) -> dict[str, Any]:
    """The arguments of the block that the host's deploy file is in; none outside of one."""
    arguments: Any = host.current_deploy_kwargs
    return arguments or {}


def _conditions(*parts: Any) -> list[Callable[[], bool]]:
    conditions: list[Callable[[], bool]] = []
    for part in parts:
        for condition in part if isinstance(part, (list, tuple)) else [part]:
            if condition is not None and condition not in conditions:
                conditions.append(condition)
    return conditions


@contextlib.contextmanager
def enclosing_deploy(
    host: Host, name: str, kwargs: Any, data: dict[str, Any] | None, in_deploy: bool = True
) -> Iterator[None]:
    """An enclosing block: what is set outside holds inside too, conditions add up."""
    outer = (host.in_deploy, host.current_deploy_name, host.current_deploy_kwargs, host.current_deploy_data)
    merged: Any = {**_enclosing(host), **(kwargs or {})}
    merged["_if"] = _conditions(_enclosing(host).get("_if"), (kwargs or {}).get("_if"))
    host.in_deploy, host.current_deploy_kwargs = in_deploy, merged
    host.current_deploy_name = " | ".join(part for part in (host.current_deploy_name, name) if part) or None
    host.current_deploy_data = data
    try:
        yield
    finally:
        host.in_deploy, host.current_deploy_name, host.current_deploy_kwargs, host.current_deploy_data = outer


def active_in_order(inventory: Inventory) -> list[Host]:
    """Active hosts in the order in which the inventory is written; pyinfra's is a set's."""
    return [host for host in inventory if host in inventory.state.active_hosts]


def run_operation(state: State, host: Host, op_hash: str, behind: Sequence[str] = ()) -> bool:
    """Runs it; True where it succeeded. Whatever goes wrong stays this host's: an exception fails no other host.

    + behind: operations that this host gets next; what they change may go to it along with this one

    Raises TurnNeeded, with nothing changed, where it would take something out of service before its turn; Left where a
    host that converges itself may not do it.
    """
    try:
        with ctx_host.use(host):
            send_together(state, host, [op_hash, *behind])
            ok = _stock_run(state, host, op_hash)
    except TooLate as error:
        _as_if_not_begun(host)
        raise Left(str(error)) from error
    except (TurnNeeded, Left):
        _as_if_not_begun(host)
        raise
    except (FactFailed, BadInput, RemoteFailed, NotNow) as error:
        return _failed(state, host, op_hash, str(error))
    except (PyinfraError, OSError, SSHException, EOFError, TimeoutError) as error:
        return _failed(state, host, op_hash, f"{type(error).__name__}: {error}")
    except Exception as error:
        return _failed(state, host, op_hash, f"unexpected {type(error).__name__}: {error}")
    return ok and not _gave_up_waiting(state, host, op_hash)


def _as_if_not_begun(host: Host) -> None:
    host.in_op = False
    host.executing_op_hash = host.nested_executing_op_hash = None


def _failed(state: State, host: Host, op_hash: str, why: str) -> bool:
    _as_if_not_begun(host)
    host.connector_data.setdefault("slipway_errors", {})[op_hash] = why
    logger.error("%s%s", host.print_prefix, printable(why))
    operation = state.ops[host][op_hash].operation_meta
    if not operation.is_complete():
        operation.set_complete(False, [], CommandOutput([]))
    state.get_results_for_host(host).error_ops += 1
    state.trigger_callbacks("operation_host_error", host, op_hash)
    return False


def _gave_up_waiting(state: State, host: Host, op_hash: str) -> bool:
    """Whether a `_retry_until` was still not met at its last try, which pyinfra counts as a success."""
    data = state.ops[host][op_hash]
    until, operation = data.global_arguments.get("_retry_until"), data.operation_meta
    if not until or not operation.executed:
        return False
    output = {"stdout_lines": operation.stdout_lines, "stderr_lines": operation.stderr_lines, "commands": [],
              "executed_commands": 1, "host": host.name, "operation": op_hash}  # fmt: skip
    if not until(output):
        return False
    operation._success = False
    return _failed(state, host, op_hash, "gave up waiting: the condition was still not met at the last try") is False
