"""Facts: an answer or FactFailed, never a default in place of an answer that did not come."""

from __future__ import annotations

import sys
from typing import Any

from paramiko import SSHException
from pyinfra import logger
from pyinfra.api import State, StringCommand
from pyinfra.api.arguments import CONNECTOR_ARGUMENT_KEYS
from pyinfra.api.exceptions import FactProcessError
from pyinfra.api.host import Host
from pyinfra.api.state import StateStage
from pyinfra.connectors.util import CommandOutput

from slipway.seam.arguments import KEYS, call_arguments
from slipway.seam.connection import Connection, NullConnection
from slipway.seam.errors import ConnectionLost, FactFailed
from slipway.seam.memory import Holds

facts_module: Any = sys.modules["pyinfra.api.facts"]


def get_fact(
    state: State, host: Host, cls: Any, args: Any = None, kwargs: Any = None, ensure_hosts: Any = None,
    apply_failed_hosts: bool = True,
) -> Any:  # fmt: skip
    """A fact, or FactFailed: never the default in place of an answer that did not come."""
    if issubclass(cls, facts_module.ShortFactBase):
        return cls().process_data(get_fact(state, host, cls.fact, args, kwargs))
    fact = cls()
    if reason := fact.check_preconditions(state, host):
        return _not_yet(state, host, fact, reason)
    command, connector_kwargs = _question(state, host, fact, args, kwargs)
    ok, output = _ask(state, host, fact, command, connector_kwargs)
    if ok and output.stdout_lines == [facts_module._MISSING_COMMAND_MARKER]:
        return _not_yet(state, host, fact, "its command is not installed")
    if not ok and not _is_user_missing(connector_kwargs, output):
        raise FactFailed(f"could not read {fact.name}: {' / '.join(output.output_lines[-3:]) or 'no output'}")
    return _processed(fact, output) if ok and output.stdout_lines else fact.default()


def announce(host: Host, cls: Any, **kwargs: Any) -> None:
    """Says while preparing that this live fact will be asked while executing, together with its like.

    A live fact (`is_live`) proves something at the moment at which it is asked: never by an answer from before.
    """
    if isinstance(host.connector, Connection):
        command, connector_kwargs = _question(host.state, host, cls(), None, kwargs)
        host.connector.memory.announce(command, connector_kwargs)


def _question(state: State, host: Host, fact: Any, args: Any, kwargs: Any) -> tuple[StringCommand, dict[str, Any]]:
    """A fact's command, and the connector's arguments for it."""
    own: Any = host.current_op_global_arguments
    if own and KEYS.isdisjoint(kwargs or ()):
        # What was worked out for the operation in hand holds for its facts.
        given = own
        fact_kwargs = call_arguments(fact.command, *(args or ()), **(kwargs or {})) if args or kwargs else {}
    else:
        fact_kwargs, given = facts_module._handle_fact_kwargs(state, host, type(fact), args, kwargs)
    connector_kwargs = {key: given[key] for key in CONNECTOR_ARGUMENT_KEYS if key in given}
    if fact.shell_executable:
        connector_kwargs["_shell_executable"] = fact.shell_executable
    return _as_command(_fact_command(fact, fact_kwargs)), connector_kwargs


def _ask(
    state: State, host: Host, fact: Any, command: StringCommand, connector_kwargs: dict[str, Any]
) -> tuple[bool, CommandOutput]:
    prints = {"print_output": state.print_fact_output, "print_input": state.print_fact_input}
    try:
        if isinstance(host.connector, Connection):
            return host.connector.ask(command, _holds(fact), **prints, **connector_kwargs)
        # Another connector (@local, @docker) has no memory: it is asked each time.
        return host.run_shell_command(command, **prints, **connector_kwargs)
    except (ConnectionLost, OSError, SSHException, EOFError) as error:
        raise FactFailed(f"could not read {fact.name}: {error}") from error


def _holds(fact: Any) -> Holds:
    """How long its answer holds: a fact says `is_live` or `is_local`, or neither."""
    return Holds.NOT if getattr(fact, "is_live", False) else Holds(getattr(fact, "is_local", False))


def _as_command(command: Any) -> StringCommand:
    return command if isinstance(command, StringCommand) else StringCommand(command)


def _fact_command(fact: Any, kwargs: dict[str, Any]) -> Any:
    make = facts_module._make_command
    command, needs = make(fact.command, dict(kwargs)), make(fact.requires_command, dict(kwargs))
    if not needs:
        return command
    marker = facts_module._MISSING_COMMAND_MARKER
    return StringCommand(
        "if", "command", "-v", needs, ">/dev/null", "2>&1;", "then", "(", command, ");",
        "else", "echo", f"'{marker}';", "fi",
    )  # fmt: skip


def _not_yet(state: State, host: Host, fact: Any, reason: str) -> Any:
    """While preparing, what a fact needs may still be on its way; while executing it should be there."""
    if state.current_stage == StateStage.Execute and not isinstance(host.connector, NullConnection):
        logger.debug("%sfact %s: %s", host.print_prefix, fact.name, reason)
    return fact.default()


def _is_user_missing(connector_kwargs: Any, output: CommandOutput) -> bool:
    """Whether sudo or su only says that the user is not there yet."""
    first = output.stderr_lines[0] if output.stderr_lines else ""
    return bool(connector_kwargs.get("_sudo_user")) and first.startswith("sudo: unknown user")


def _processed(fact: Any, output: CommandOutput) -> Any:
    try:
        return fact.process(output.stdout_lines)
    except FactProcessError as error:
        raise FactFailed(f"could not understand {fact.name}: {error}") from error
    except Exception as error:
        raise FactFailed(f"could not understand {fact.name}: {type(error).__name__}: {error}") from error
