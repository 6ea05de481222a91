"""The inventory: found, read, and looked over before anything is connected."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pyinfra.api import State
from pyinfra.api.arguments import all_global_arguments
from pyinfra.api.inventory import Inventory
from pyinfra.connectors.ssh import connector_data_meta
from pyinfra.context import ctx_state
from pyinfra_cli.exceptions import UnexpectedExternalError
from pyinfra_cli.inventory import make_inventory
from pyinfra_cli.util import exec_file

from slipway.fleet import Fleet, Member
from slipway.paths import project_root
from slipway.problems import BadInput, Problem, Problems, did_you_mean

OWN_KEYS = frozenset({"stack", "secrets", "variables", "address"})
"""Data keys that belong to no role: the application, where secrets are read, Compose variables, a host's address."""


def find_inventory(name: str) -> Path:
    """`lab`, `inventories/lab.py` or a path. Raises BadInput with the nearest name."""
    folder = project_root() / "inventories"
    for candidate in (Path(name), folder / name, folder / f"{name}.py"):
        if candidate.is_file():
            return candidate
    known = [path.stem for path in folder.glob("*.py")]
    raise BadInput([Problem(f"inventory {name}", "there is none of that name", did_you_mean(name, known))])


def read_inventory(path: Path, override_data: Mapping[str, Any] | None = None) -> Inventory:
    """pyinfra's inventory with its group data. Raises BadInput where a file of it does not run."""
    try:
        # pyinfra notes the file being read on the current state: there must be one.
        with ctx_state.use(State()):
            inventory: Inventory = make_inventory(
                str(path), cwd=str(project_root()), override_data=dict(override_data or {})
            )
            return inventory
    except (UnexpectedExternalError, SyntaxError) as error:
        raise BadInput([broken_file(error)]) from error


def broken_file(error: Any) -> Problem:
    if isinstance(error, SyntaxError):
        return Problem(f"{_shown(error.filename)}:{error.lineno}", f"SyntaxError: {error.msg}")
    cause, trace, line = error.exception, error.exception.__traceback__, 0
    if isinstance(cause, SyntaxError):
        return broken_file(cause)
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == error.filename:
            line = trace.tb_lineno
        trace = trace.tb_next
    return Problem(f"{_shown(error.filename)}:{line}", f"{type(cause).__name__}: {cause}")


def _shown(filename: Any) -> str:
    path = Path(str(filename))
    return str(path.relative_to(project_root())) if path.is_relative_to(project_root()) else str(path)


def fleet_of(inventory: Inventory, path: Path, problems: Problems) -> Fleet:
    """The fleet as data. Hosts without a usable private address are noted as problems."""
    members = [
        Member(host.name, _address(host, path, problems), tuple(group for group in host.groups if group != "all"))
        for host in inventory
    ]
    return Fleet(path.stem, tuple(members))


def _address(host: Any, path: Path, problems: Problems) -> str:
    declared = host.data.get("address") or host.data.get("ssh_hostname") or host.name
    try:
        return str(ipaddress.ip_address(declared))
    except ValueError:
        hint = 'give the host its private address: ("name", {"address": "10.0.0.11"})'
        problems.add(f"{_shown(path)}: {host.name}", f"{declared!r} is no IP address to bind services to", hint)
        return "127.0.0.1"


def look_over(inventory: Inventory, path: Path, role_keys: set[str], problems: Problems) -> None:
    """Notes what pyinfra would pass over in silence: doubles, ignored groups, unknown data, empty selections."""
    if not list(inventory):
        problems.add(_shown(path), "has no hosts", 'write at least one group: web = [("web1", {"address": "..."})]')
    groups = _groups_as_written(path)
    _look_for_doubles(groups, path, problems)
    _look_for_one_address(inventory, path, problems)
    _look_for_unknown_keys(inventory, path, role_keys, problems)


def _groups_as_written(path: Path) -> dict[str, Any]:
    with ctx_state.use(State()):
        attributes = exec_file(str(path), return_locals=True)
    return {
        name: value[0] if isinstance(value, tuple) else value
        for name, value in attributes.items()
        if not name.startswith("_") and isinstance(value, (list, tuple)) and value
    }


def _look_for_doubles(groups: Mapping[str, Any], path: Path, problems: Problems) -> None:
    first_seen: dict[str, tuple[str, str, Any]] = {}
    for group, items in groups.items():
        in_group: set[str] = set()
        for name, data in _hosts_in(group, items, path, problems):
            if name in in_group:
                problems.add(f"{_shown(path)}: {group}", f"host {name!r} is listed twice", "list it once")
            in_group.add(name)
            other_name, other_group, other_data = first_seen.setdefault(name.lower(), (name, group, data))
            if other_name != name:
                what = f"host {name!r} and {other_name!r} in {other_group} differ only in case"
                problems.add(f"{_shown(path)}: {group}", what, "one spelling for one host")
            elif data and other_data and data != other_data:
                what = f"host {name!r} has other data than in {other_group}"
                problems.add(f"{_shown(path)}: {group}", what, "write a host's data once")


def _hosts_in(group: str, items: Any, path: Path, problems: Problems) -> Iterator[tuple[str, Any]]:
    for item in items:
        name, data = item if isinstance(item, tuple) and len(item) == 2 else (item, {})
        if isinstance(name, str) and isinstance(data, dict):
            yield name, data
        else:
            what = f"{item!r} is neither a host name nor (name, data)"
            problems.add(f"{_shown(path)}: {group}", what, "pyinfra would ignore the whole group")


def _look_for_one_address(inventory: Inventory, path: Path, problems: Problems) -> None:
    seen: dict[tuple[str, Any], str] = {}
    for host in inventory:
        for key in ("ssh_hostname", "address"):
            value = host.data.get(key)
            if value is None:
                continue
            at = (key, (value, host.data.get("ssh_port") or 22) if key == "ssh_hostname" else value)
            other = seen.setdefault(at, host.name)
            if other != host.name:
                what = f"{other} and {host.name} have the same {key} {value}"
                problems.add(_shown(path), what, "two names for one host would be deployed twice")


def _look_for_unknown_keys(inventory: Inventory, path: Path, role_keys: set[str], problems: Problems) -> None:
    known = OWN_KEYS | role_keys | set(connector_data_meta) | {name for name, _ in all_global_arguments()}
    for layer, where in _layers(inventory, path):
        for key, value in layer.items():
            if key not in known and not key.startswith("x_"):
                hint = f"{did_you_mean(key, known)} (data of your own begins with x_)"
                problems.add(f"{where}: {key}", "no role takes data of this name", hint)
            elif key in role_keys and not isinstance(value, dict):
                problems.add(f"{where}: {key}", f"is {type(value).__name__}, not a dict of fields", f"{key} = {{...}}")


def _layers(inventory: Inventory, path: Path) -> Iterator[tuple[Mapping[str, Any], str]]:
    yield inventory.get_data(), "group_data/all.py"
    for group in dict.fromkeys(group for host in inventory for group in host.groups if group != "all"):
        yield inventory.get_group_data(group), f"group_data/{group}.py"
    for host in inventory:
        yield inventory.get_host_data(host.name), f"{_shown(path)}: {host.name}"
    yield inventory.get_override_data(), "--data"
