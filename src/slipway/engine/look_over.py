"""What pyinfra would pass over in silence: doubles, unknown data, group data that nobody reads."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pyinfra.api.arguments import all_global_arguments
from pyinfra.api.inventory import Inventory
from pyinfra.connectors.ssh import connector_data_meta

from slipway.engine.broken import shown
from slipway.engine.inventory import groups_as_written, layers
from slipway.fleet import Fleet
from slipway.paths import project_root
from slipway.problems import Problems, did_you_mean, nearest

OWN_KEYS = frozenset({"stack", "secrets", "variables", "address", "reconcile"})
"""Data keys that belong to no role: the application, where secrets are read, Compose variables, a host's address, what
is said of reconciles."""


def look_over_hosts(inventory: Inventory, path: Path, fleet: Fleet, problems: Problems) -> None:
    """Notes hosts that are written twice, and an inventory without any."""
    if not list(inventory):
        problems.add(shown(path), "has no hosts", 'write at least one group: web = [("web1", {"address": "..."})]')
    if path.is_file():
        _look_for_doubles(groups_as_written(path), path, problems)
    _look_for_one_door(inventory, path, fleet, problems)


def look_over_data(inventory: Inventory, path: Path, role_keys: set[str], problems: Problems) -> None:
    """Notes data that no role takes, and group data that no host reads."""
    _look_for_unread_files(inventory, path, problems)
    _look_for_unknown_keys(inventory, path, role_keys, problems)


def _look_for_doubles(groups: Mapping[str, Any], path: Path, problems: Problems) -> None:
    first_seen: dict[str, tuple[str, str, Any]] = {}
    for group, name, data in _entries(groups):
        where = f"{shown(path)}: {group}"
        other_name, other_group, other_data = first_seen.setdefault(name.lower(), (name, group, data))
        if other_name != name:
            what = f"host {name!r} and {other_name!r} in {other_group} differ only in case"
            problems.add(where, what, "one spelling for one host")
        elif data and other_data and data != other_data:
            problems.add(where, f"host {name!r} has other data than in {other_group}", "write a host's data once")
    for group, value in groups.items():
        names = [name for _, name, _ in _entries({group: value})]
        for name in dict.fromkeys(name for name in names if names.count(name) > 1):
            problems.add(f"{shown(path)}: {group}", f"host {name!r} is listed twice", "list it once")


def _entries(groups: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """(group, host, its data) as written."""
    for group, value in groups.items():
        if isinstance(value, (list, tuple)) and value:
            for item in value[0] if isinstance(value, tuple) else value:
                yield (group, *item) if isinstance(item, tuple) else (group, item, {})


def _look_for_one_door(inventory: Inventory, path: Path, fleet: Fleet, problems: Problems) -> None:
    """Two names that SSH takes to the same place, where their addresses have not told so already."""
    address = {member.name: member.address for member in fleet}
    seen: dict[tuple[str, Any], str] = {}
    for host in inventory:
        hostname = str(host.data.get("ssh_hostname") or host.name)
        other = seen.setdefault((hostname.lower(), host.data.get("ssh_port") or 22), host.name)
        if other.lower() != host.name.lower() and address[other] != address[host.name]:
            what = f"SSH reaches {other} and {host.name} at the same {hostname}"
            problems.add(shown(path), what, "two names for one host would be deployed twice; keep one")


def _look_for_unread_files(inventory: Inventory, path: Path, problems: Problems) -> None:
    """A file whose name is nearly that of a group: nobody reads it, and nobody would notice."""
    groups = {"all", *(group for host in inventory for group in host.groups)}
    for file in sorted((project_root() / "group_data").glob("*.py")):
        close = nearest(file.stem, groups) if file.stem not in groups | known_elsewhere() else ""
        if close:
            what = f"no host is in a group called {file.stem!r}, so nobody reads it"
            problems.add(f"group_data/{file.name}", what, f"did you mean {close!r}? rename it to {close}.py")


def known_elsewhere() -> set[str]:
    """Groups of the project's other inventories: their own names, and what their files assign."""
    names: set[str] = set()
    for file in (project_root() / "inventories").glob("*.py"):
        names |= {file.stem, *_assigned(file)}
    return names


def _assigned(file: Path) -> Iterator[str]:
    try:
        body = ast.parse(file.read_bytes()).body
    except (SyntaxError, ValueError, OSError):
        return  # another inventory's faults are told when it is the one in use
    for node in body:
        if isinstance(node, ast.Assign):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))


def _look_for_unknown_keys(inventory: Inventory, path: Path, role_keys: set[str], problems: Problems) -> None:
    arguments = set(connector_data_meta) | {name for name, _ in all_global_arguments()}
    for layer, where, host in layers(inventory, path):
        for key, value in layer.items():
            if key not in OWN_KEYS | role_keys | arguments and not str(key).startswith("x_"):
                hint = f"{_nearest_key(str(key), role_keys, arguments)} (data of your own begins with x_)"
                problems.add(f"{where}: {key}", "no role takes data of this name", hint, host)
            elif key in role_keys and not isinstance(value, dict):
                what = f"is a {type(value).__name__}, not a dict of fields"
                problems.add(f"{where}: {key}", what, f"write {key} = {{...}}", host)


def _nearest_key(key: str, role_keys: set[str], arguments: set[str]) -> str:
    """Where nothing is near, only Slipway's own names are told: pyinfra's fill a screen."""
    own = OWN_KEYS | role_keys
    return did_you_mean(key, own if nearest(key, own) or not nearest(key, arguments) else arguments)
