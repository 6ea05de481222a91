"""The resources as a playbook, and the project that plays it: tuned, by itself or with Mitogen. Pure."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from slipway.bench.resources import (
    RESOURCES,
    SITE,
    SITE_NAME,
    Absent,
    Directory,
    File,
    Link,
    Packages,
    Resource,
    Template,
    User,
)
from slipway.bench.targets import USER, Keys, Target, ssh_options

_CONFIG = """\
[defaults]
inventory = hosts.json
forks = 50
gathering = explicit
interpreter_python = /usr/bin/python3
local_tmp = tmp
retry_files_enabled = False
nocows = True
{strategy}
[ssh_connection]
pipelining = True
ssh_args = {ssh_args}
"""
_SHARED = ["-oControlMaster=auto", "-oControlPersist=60s"]


def project(targets: list[Target], keys: Keys, mitogen: Path | None = None) -> dict[str, str]:
    """Relative path to content of the project's files. `mitogen`: the directory of its strategy plug-ins."""
    strategy = f"strategy_plugins = {mitogen}\nstrategy = mitogen_linear\n" if mitogen else ""
    ssh_args = " ".join([*ssh_options(keys), *_SHARED])
    return {
        "ansible.cfg": _CONFIG.format(strategy=strategy, ssh_args=ssh_args),
        "hosts.json": json.dumps(_inventory(targets, keys), indent=1),
        "playbook.json": json.dumps(playbook(), indent=1),  # JSON is YAML
        f"templates/{SITE_NAME}": SITE,
    }


def _inventory(targets: list[Target], keys: Keys) -> dict[str, Any]:
    common = {"ansible_user": USER, "ansible_ssh_private_key_file": str(keys.private)}
    hosts = {each.name: {"ansible_host": each.reached, "ansible_port": each.port, **common} for each in targets}
    return {"bench": {"hosts": hosts}}


def playbook() -> list[dict[str, Any]]:
    """One play, one task for each resource. Facts are not gathered: nothing here needs them."""
    tasks = [_task(each) for each in RESOURCES]
    return [{"name": "Bench", "hosts": "bench", "gather_facts": False, "become": True, "tasks": tasks}]


def _task(each: Resource) -> dict[str, Any]:
    match each:
        case Directory():
            return _module("file", f"Make the directory {each.path}", state="directory", **_owned(each))
        case File():
            return _module("copy", f"Write {each.path}", content=each.content, **_owned(each, "dest"))
        case Template():
            words = _module("template", f"Write {each.path}", src=SITE_NAME, **_owned(each, "dest"))
            return {**words, "vars": {**each.variables, "host_name": "{{ inventory_hostname }}"}}
        case Link():
            return _module("file", f"Make the link {each.path}", src=each.target, dest=each.path, state="link")
        case Absent():
            return _module("file", f"Remove {each.path}", path=each.path, state="absent")
        case User():
            return _module(
                "user", f"Make the account {each.name}", name=each.name, uid=each.uid, comment=each.comment,
                shell=each.shell, groups=list(each.groups), append=False,
            )  # fmt: skip
        case Packages():
            return _module("apt", "Install packages", name=list(each.names), state="present")


def _module(module: str, task: str, **arguments: Any) -> dict[str, Any]:
    return {"name": task, f"ansible.builtin.{module}": arguments}


def _owned(each: Directory | File | Template, path: str = "path") -> dict[str, str]:
    return {path: each.path, "mode": f"0{each.mode}", "owner": each.owner, "group": each.group}
