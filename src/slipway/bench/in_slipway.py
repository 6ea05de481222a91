"""The resources as a role of Slipway's."""

from __future__ import annotations

from slipway.bench.resources import (
    RESOURCES,
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
from slipway.context import Context
from slipway.ops import files, packages, users
from slipway.render import render
from slipway.role import Role, RoleData


class Nothing(RoleData):
    """The role has nothing to set: everybody brings the same."""


def tasks(data: Nothing, ctx: Context) -> None:
    """Every resource, in order."""
    for each in RESOURCES:
        _bring(each, ctx.host.name)


def _bring(each: Resource, host: str) -> None:
    match each:
        case Directory():
            files.directory(path=each.path, mode=each.mode, owner=each.owner, group=each.group, name="Make a directory")
        case File() | Template():
            content = each.content if isinstance(each, File) else _rendered(each, host)
            files.put(path=each.path, content=content, mode=each.mode, owner=each.owner, group=each.group,
                      name="Write a file")  # fmt: skip
        case Link():
            files.link(path=each.path, target=each.target, name="Make a link")
        case Absent():
            files.absent(path=each.path, name="Remove a file")
        case User():
            users.account(user=each.name, uid=each.uid, comment=each.comment, shell=each.shell, groups=each.groups,
                          name="Make an account")  # fmt: skip
        case Packages():
            packages.installed(names=list(each.names), name="Install packages")


def _rendered(each: Template, host: str) -> str:
    return render(f"bench/{SITE_NAME}", host_name=host, **each.variables)


role = Role("bench", data=Nothing, tasks=tasks)
