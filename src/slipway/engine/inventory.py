"""The inventory: found, read, and made a fleet of. What is wrong with its files stops here, before anything else."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, get_type_hints

from pyinfra.api import State
from pyinfra.api.arguments import all_argument_meta, all_global_arguments
from pyinfra.api.exceptions import PyinfraError
from pyinfra.api.inventory import Inventory
from pyinfra.api.util import raise_if_bad_type
from pyinfra.connectors.ssh import ConnectorData
from pyinfra.context import ctx_inventory, ctx_state
from pyinfra_cli.exceptions import UnexpectedExternalError
from pyinfra_cli.inventory import make_inventory
from pyinfra_cli.util import exec_file

from slipway.addresses import address_of
from slipway.engine.broken import problems_in, shown, unreadable
from slipway.fleet import Fleet, Member
from slipway.inventories import find_inventory as find_inventory
from slipway.paths import project_root
from slipway.problems import BadInput, Problem, Problems

_HOST_NAME = re.compile(r"@?\w[\w.:/@%\[\]-]*")


def read_inventory(
    path: Path, override_data: Mapping[str, Any] | None = None, group_data: Iterable[str] = ()
) -> Inventory:
    """pyinfra's inventory with its group data. Raises BadInput where a file of it does not run or names no hosts."""
    files = [str(path), *_group_data_files(path, group_data)] if path.is_file() else []
    _raise(problem for file in files if (problem := unreadable(file)))
    # pyinfra notes the file being read on the current state: there must be one.
    with ctx_state.use(State()):
        if files:
            _look_at_entries(path)
        try:
            overrides, folders = {**own_login(), **(override_data or {})}, list(group_data)
            inventory: Inventory = make_inventory(
                str(path), cwd=str(project_root()), override_data=overrides, group_data_directories=folders
            )
        except UnexpectedExternalError:
            _raise(_what_stops(files))
            raise
        except PyinfraError as error:
            raise BadInput([Problem(shown(path), str(error), "write host names, or connectors that exist")]) from error
    _raise(_wrong_types(inventory, path))
    return inventory


LOGIN = {
    "SLIPWAY_SSH_USER": "ssh_user",
    "SLIPWAY_SSH_KEY": "ssh_key",
    "SLIPWAY_SSH_KNOWN_HOSTS": "ssh_known_hosts_file",
}
"""How a controller logs in that is not the one the inventory was written for: variable to connection data."""


def own_login() -> dict[str, Any]:
    """This controller's own way into every host, over what the inventory says; nothing where it has none."""
    found: dict[str, Any] = {data: os.environ[name] for name, data in LOGIN.items() if os.environ.get(name)}
    return {**found, "_sudo": True} if found.get("ssh_user", "root") != "root" else found


def _raise(problems: Iterable[Problem]) -> None:
    found = Problems()
    found.extend(problems)
    found.raise_if_any()


def _group_data_files(path: Path, group_data: Iterable[str]) -> list[str]:
    """The files that pyinfra reads, by the names it calls them."""
    folders = dict.fromkeys([str(project_root() / "group_data"), str(path.parent.resolve() / "group_data")])
    return [str(file) for folder in (*folders, *group_data) for file in sorted(Path(folder).glob("*.py"))]


def _what_stops(files: list[str]) -> Iterator[Problem]:
    """Every file that does not run to its end, not only the first that pyinfra met."""
    with ctx_inventory.use(Inventory.empty()):
        for file in files:
            try:
                exec_file(file)
            except UnexpectedExternalError as error:
                yield from problems_in(error)
            except PyinfraError as error:
                yield Problem(shown(file), str(error), "mend it; pyinfra refuses it")


def groups_as_written(path: Path) -> dict[str, Any]:
    """Everything public that an inventory file says, as it says it."""
    with ctx_state.use(State()):
        attributes = exec_file(str(path), return_locals=True)
    return {name: value for name, value in attributes.items() if not name.startswith("_")}


def _look_at_entries(path: Path) -> None:
    """Refuses what pyinfra would take for something else or leave out with its whole group."""
    problems = Problems()
    try:
        groups = groups_as_written(path)
    except UnexpectedExternalError as error:
        problems.extend(problems_in(error))
        problems.raise_if_any()
        raise
    for group, value in groups.items():
        if isinstance(value, (list, tuple)) and (wrong := _wrong_group(value)):
            problems.add(f"{shown(path)}: {group}", wrong, 'write web = [("web1", {"address": "10.0.0.11"})]')
    problems.raise_if_any()


def _wrong_group(value: Any) -> str:
    if isinstance(value, tuple):
        if not (len(value) == 2 and isinstance(value[0], list) and isinstance(value[1], dict)):
            return "a tuple is taken for (list of hosts, data)"
        value = value[0]
    return next((wrong for item in value if (wrong := _wrong_host(item))), "")


def _wrong_host(item: Any) -> str:
    name, data = item if isinstance(item, tuple) and len(item) == 2 else (item, {})
    if not isinstance(name, str) or not isinstance(data, dict):
        # Only the name is shown: a host's data may hold a password.
        told = item[0] if isinstance(item, tuple) and item and isinstance(item[0], str) else item
        return f"{told if isinstance(told, dict) is False else 'a dict'!r} is neither a host name nor (name, data)"
    return "" if _HOST_NAME.fullmatch(name) else f"{name!r} cannot be a host's name"


def _wrong_types(inventory: Inventory, path: Path) -> list[Problem]:
    """Connection data and pyinfra's own arguments of the wrong type, which pyinfra tells only as it connects."""
    problems = Problems()
    types = _types()
    for layer, where, host in layers(inventory, path):
        for key, value in layer.items():
            if key in types and value is not None and (wrong := _mismatch(value, types[key])):
                problems.add(f"{where}: {key}", wrong, "give it in that type", host)
    return list(problems)


@cache
def _types() -> dict[str, Any]:
    """Name to type of each. Taking the hints apart costs as much as reading an inventory."""
    arguments = {key: type_ for key, type_ in all_global_arguments() if not all_argument_meta[key].handler}
    return {**get_type_hints(ConnectorData), **arguments}


def _mismatch(value: Any, type_: Any) -> str:
    try:
        raise_if_bad_type(value, type_, TypeError, "")
    except TypeError as error:
        return str(error).lstrip(": ")
    return ""


def layers(inventory: Inventory, path: Path) -> Iterator[tuple[Mapping[str, Any], str, str]]:
    """Where data is declared, the widest first: the data, its place, and the host where it is one host's own."""
    yield inventory.get_data(), "group_data/all.py", ""
    for group in dict.fromkeys(group for host in inventory for group in host.groups if group != "all"):
        yield inventory.get_group_data(group), f"group_data/{group}.py", ""
    for host in inventory:
        yield inventory.get_host_data(host.name), shown(path), host.name
    yield inventory.get_override_data(), "--data", ""


def fleet_of(inventory: Inventory, path: Path, problems: Problems) -> Fleet:
    """The fleet as data. Hosts without a usable private address, and two with the same one, are noted as problems."""
    members, taken = [], dict[str, str]()
    for host in inventory:
        address = _address(host, path, problems)
        other = taken.setdefault(address, host.name) if address else host.name
        if other.lower() != host.name.lower():  # two spellings of one name are told as such
            what = f"{other} and {host.name} have the same address {address}"
            problems.add(shown(path), what, "two names for one host would be deployed twice; keep one")
        groups = tuple(group for group in host.groups if group != "all")
        login, port = host.data.get("ssh_user") or "", host.data.get("ssh_port") or 0
        members.append(Member(host.name, address or NOWHERE, groups, login, port))
    return Fleet(path.stem, tuple(members))


NOWHERE = "127.0.0.1"
"""Stands in for an address that is missing, so that what else is wrong can be told with it."""


def _address(host: Any, path: Path, problems: Problems) -> str:
    declared = host.data.get("address") or host.data.get("ssh_hostname") or host.name
    try:
        address = ipaddress.ip_address(address_of(declared if isinstance(declared, str) else repr(declared)))
        if not (address.is_unspecified or address.is_multicast):
            return str(address)
    except ValueError:
        pass
    hint = 'give the host its private address: ("name", {"address": "10.0.0.11"})'
    problems.add(shown(path), f"{declared!r} is no IP address to bind services to", hint, host.name)
    return ""
