"""Plain `pyinfra INVENTORY deploy.py`: the same engine as ./slipway, under pyinfra's own command line.

config.py calls `take_over()`; pyinfra runs it before it reads the inventory.
"""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn
from weakref import WeakKeyDictionary

import click
import pyinfra_cli.cli as stock
from pyinfra import logger
from pyinfra.api import State
from pyinfra.api.exceptions import PyinfraError

from slipway.engine.declare import declare
from slipway.engine.events import Events
from slipway.engine.execute import INTERRUPTED, Result
from slipway.engine.holding import stop_at_holds
from slipway.engine.inventory import find_inventory, read_inventory
from slipway.engine.lock import LockHeld
from slipway.engine.prepare import PrepareFailed, pending, prepare
from slipway.engine.progress import JsonProgress, PlainProgress, errors, show_unreachable, summary
from slipway.engine.run import current_run, is_bound
from slipway.engine.session import attach, execute, know_questions
from slipway.printable import say
from slipway.problems import BAD_INPUT, BadInput, Problem, Problems, did_you_mean
from slipway.seam import hosts, install
from slipway.seam.connection import Connection
from slipway.seam.errors import FactFailed, HostUnreachable, RemoteFailed
from slipway.terminal import Terminal

LOCK_HELD, CHANGES_PENDING, FAILED = 75, 3, 1


def take_over() -> None:
    """Makes pyinfra's command line safe. Idempotent."""
    if stock.connect_all is _connect_all:
        return
    with _told():
        install()
    stock.make_inventory = _inventory(stock.make_inventory)
    stock._set_override_data = _overrides(stock._set_override_data)
    stock._apply_inventory_limit = _limit
    stock._apply_inventory_exclude = _exclude
    stock.connect_all = _connect_all
    stock.disconnect_all = hosts.disconnect_all
    stock.load_deploy_file = _load_deploy_file
    stock.run_ops = _run_ops
    stock._do_confirm = _confirm(stock._do_confirm)
    stock.print_meta = _print_pending
    stock.print_results = _print_results
    stock.get_facts = _facts_or_failure(stock.get_facts)
    stock._exit = _exit
    _tell_interruptions_truthfully()


@contextmanager
def _told() -> Iterator[None]:
    """Our own refusals, in our own words and with their exit codes."""
    try:
        yield
    except BadInput as error:
        _end(str(error), BAD_INPUT)
    except LockHeld as error:
        _end(str(error), LOCK_HELD)
    except HostUnreachable as error:
        show_unreachable(error, Terminal(stderr=True))
        sys.exit(FAILED)
    except (PrepareFailed, FactFailed, RemoteFailed) as error:
        _end(str(error), FAILED)
    except SystemExit as error:
        for line in getattr(error, "__notes__", ()):  # what an interrupted run leaves undone
            say(line, err=True)
        raise


def _end(message: str, code: int) -> NoReturn:
    say(message, err=True)
    sys.exit(code)


def _parameters() -> dict[str, Any]:
    return click.get_current_context().params


def _deploy_files() -> list[Path]:
    return [Path(name) for name in _parameters()["operations"] if name.endswith(".py")]


def _inventory(make: Callable[..., Any]) -> Callable[..., Any]:
    def inventory(name: str, group_data_directories: Any = None, override_data: Any = None, **options: Any) -> Any:
        """An inventory file as ./slipway reads it; a list of hosts or a function as pyinfra does."""
        with _told():
            if Path(name).is_file() or name.endswith(".py"):
                made = read_inventory(_file_meant(name), override_data, group_data_directories or ())
            else:
                folders = {"override_data": override_data, "group_data_directories": group_data_directories}
                made = make(name, **folders, **options)
                if not len(made):
                    find_inventory(name)  # raises, with the nearest name
        return hosts.with_connector(made, Connection)

    return inventory


def _file_meant(name: str) -> Path:
    """The file itself. Raises BadInput where there is none: pyinfra would ask the name service for a host."""
    if Path(name).is_file():
        return Path(name)
    known = [str(path.relative_to(Path.cwd())) for path in Path.cwd().glob("inventories/*.py")]
    raise BadInput([Problem(f"inventory {name}", "there is no such file", did_you_mean(name, known))])


def _overrides(stock_overrides: Callable[..., Any]) -> Callable[..., Any]:
    def overrides(data: Iterable[str], *others: Any) -> Any:
        """--data without a value is a mistake to be told, not a traceback."""
        problems = Problems()
        for word in data:
            if "=" not in word:
                problems.add(f"--data {word}", "has no value", "write --data name=value")
        with _told():
            problems.raise_if_any()
        return stock_overrides(data, *others)

    return overrides


def _limit(inventory: Any, limit: Any) -> Any:
    with _told():
        return hosts.select(inventory, limit) if limit else None


def _exclude(inventory: Any, limited: Any, exclude: Any) -> Any:
    """The hosts that are left. None that --exclude names, and at least one."""
    if not exclude:
        return limited
    with _told():
        out = hosts.select(inventory, exclude, "--exclude")
        left = [host for host in (inventory if limited is None else limited) if host not in out]
        if not left:
            raise BadInput([Problem("--exclude", "leaves no host to work on", "exclude less, or limit to others")])
    return left


def _connect_all(state: State) -> None:
    """Everything is validated and rendered first; then all hosts are connected, or none is touched."""
    with _told():
        files = _deploy_files()
        if files:
            events = Events(JsonProgress() if _parameters()["json_output"] else PlainProgress())
            overrides = state.inventory.get_override_data()
            inventory, group_data = Path(_parameters()["inventory"]), _parameters()["group_data"] or ()
            declared = declare(inventory, files, _parameters()["limit"], overrides, group_data)
            run = attach(declared, state, events)
            run.limit = tuple(_parameters()["limit"] or ())
            know_questions(run, declared)
            run.preconditions.append(lambda: stop_at_holds(run))
        hosts.connect_all(state)


def _load_deploy_file(state: State, filename: str) -> None:
    with _told():
        prepare(current_run(state), Path(filename))


def _run_ops(state: State, **options: Any) -> None:
    if not is_bound(state):
        _stock_run_ops(state, **options)
        return
    quiet = _Quiet()
    logger.addFilter(quiet)
    try:
        with _told():
            words = " ".join(path.name for path in _deploy_files())
            _results[state] = execute(current_run(state), f"pyinfra {words}")
    finally:
        logger.removeFilter(quiet)


_stock_run_ops = stock.run_ops
_results: WeakKeyDictionary[State, Result] = WeakKeyDictionary()


class _Quiet(logging.Filter):
    """pyinfra's line for each operation and host says no name; our progress says it instead."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno > logging.INFO


def _confirm(ask: Callable[[str], bool]) -> Callable[[str], bool]:
    def confirm(message: str) -> bool:
        """Nothing to do needs no consent; nobody there to ask is told, not taken for consent."""
        state = stock.ctx_state.get()
        if is_bound(state) and not pending(current_run(state)):
            return True
        if not sys.stdin.isatty():
            _end("There are changes and nobody to confirm them. Run again with -y.", FAILED)
        return ask(message)

    return confirm


def _print_pending(state: State) -> None:
    found = pending(current_run(state)) if is_bound(state) else {}
    for host, operations in found.items():
        say(f"    {host}", err=True)
        for name, changes in operations:
            told = "; ".join(f"{change.subject}: {change.what}" for change in changes)
            say(f"      {name}{f' ({told})' if told else ''}", err=True)
    if not found:
        click.echo("    no changes", err=True)


def _print_results(state: State) -> None:
    result = _results.get(state)
    if result is None:
        _stock_print_results(state)
        return
    console = Terminal(stderr=True)
    console.print(summary(result))
    for line in errors(result):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    if result.is_ok:
        console.print(f"{result.changed} changes" if result.changed else "No changes: all as wanted.")


_stock_print_results = stock.print_results


def _facts_or_failure(read: Callable[..., Any]) -> Callable[..., Any]:
    def get_facts(state: State, *args: Any, **kwargs: Any) -> Any:
        """A fact that cannot be read makes the command fail; pyinfra would print nothing and exit 0."""
        try:
            return read(state, *args, **kwargs)
        except PyinfraError as error:
            _end(str(error), FAILED)

    return get_facts


def _exit() -> None:
    """0 all as wanted, 1 failed, 3 changes pending."""
    state: State = stock.ctx_state.get()
    result = _results.get(state)
    if (result is not None and not result.is_ok) or state.failed_hosts:
        sys.exit(FAILED)
    sys.exit(CHANGES_PENDING if is_bound(state) and result is None and pending(current_run(state)) else 0)


def _tell_interruptions_truthfully() -> None:
    def end(number: int, frame: object) -> NoReturn:
        _end(INTERRUPTED, 128 + number)

    signal.signal(signal.SIGINT, end)
    signal.signal(signal.SIGTERM, end)
