"""Whether deploy.py brings everything somewhere: its groups exist, and every service's hosts get what runs it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from slipway.engine.broken import shown
from slipway.engine.inventory import groups_as_written
from slipway.engine.look_over import known_elsewhere
from slipway.engine.run import Run
from slipway.problems import did_you_mean, nearest

SERVICES = "services"
"""What a role carries that runs the application's own services."""


def look_over_stages(run: Run, deploy_files: list[Path], inventory: Path) -> None:
    """Notes groups of deploy.py that nobody is in by mistake, and services that no stage brings to their hosts."""
    where = ", ".join(shown(file) for file in deploy_files)
    written = groups_as_written(inventory) if inventory.is_file() else {}
    for group, stage in _groups(run).items():
        if wrong := _wrong_group(run, group, written.get(group)):
            run.problems.add(f"{where}: {stage!r}", *wrong)
    # A deploy file without the application brings a part of the whole, on purpose.
    if run.stack is not None and _groups_of(run, SERVICES):
        for service, group, kind in _wanted(run):
            if run.fleet.group(group) and not _is_brought(run, group, kind):
                role = _role_carrying(run, kind)
                what = f"no stage brings the role {role} to its group {group!r}"
                needed = f"{role}, and docker before it" if kind == SERVICES else role
                hint = f"add {group!r}: {needed} in {where}, or name another group in x-slipway.group"
                run.problems.add(f"stack {run.stack.name}: {service}", what, hint)


def _groups(run: Run) -> dict[str, str]:
    """Every group of deploy.py, with the first stage that names it."""
    named: dict[str, str] = {}
    for stage in run.stages:
        for group in (*(group for group, _ in stage.roles), *stage.through):
            named.setdefault(group, stage.name)
    return named


def _wrong_group(run: Run, group: str, written: Any) -> tuple[str, str] | None:
    """A group that this inventory may do without is none by mistake; one that is nearly its own is."""
    if group == "all" or group in run.fleet.groups:
        return None
    if written is not None and not isinstance(written, (list, tuple)):
        what = f"{group} is a {type(written).__name__} in the inventory, not a list of hosts"
        return what, f"write {group} = [...] there"
    others = known_elsewhere()
    if group in others or not nearest(group, run.fleet.groups):
        return None
    return f"no host is in a group called {group!r}", did_you_mean(group, run.fleet.groups)


def _wanted(run: Run) -> Iterator[tuple[str, str, str]]:
    """(service, its group, what must carry it)."""
    assert run.stack is not None  # noqa: S101 - the caller has looked
    yield from ((service.name, service.x.group, SERVICES) for service in run.stack.services)
    yield from ((name, native.group, native.kind) for name, native in run.stack.native.items())


def _groups_of(run: Run, kind: str) -> set[str]:
    return {group for stage in run.stages for group, role in stage.roles if role.carries == kind}


def _is_brought(run: Run, group: str, kind: str) -> bool:
    """Whether every host of the group gets a role that carries this kind, by whichever group it is in."""
    brought = _groups_of(run, kind)
    return "all" in brought or all(brought & set(member.groups) for member in run.fleet.group(group))


def _role_carrying(run: Run, kind: str) -> str:
    names = [role.name for stage in run.stages for _, role in stage.roles if role.carries == kind]
    return names[0] if names else kind
