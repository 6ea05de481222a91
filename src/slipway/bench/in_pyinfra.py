"""The resources in stock pyinfra's own operations.

Nothing of Slipway's engine is imported here: this runs in a process of pyinfra as it comes.
"""

from __future__ import annotations

from io import StringIO

from pyinfra import host
from pyinfra.operations import apt, files, server

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


def bring() -> None:
    """Every resource, in order."""
    for each in RESOURCES:
        _bring(each)


def _bring(each: Resource) -> None:
    # Directories are brought by themselves: `create_remote_dir` would ask for each file's once more.
    match each:
        case Directory():
            files.directory(
                path=each.path,
                mode=each.mode,
                user=each.owner,
                group=each.group,
                name=f"Make the directory {each.path}",
            )
        case File():
            files.put(src=StringIO(each.content), dest=each.path, mode=each.mode, user=each.owner, group=each.group,
                      create_remote_dir=False, name=f"Write {each.path}")  # fmt: skip
        case Template():
            files.template(src=SITE_NAME, dest=each.path, mode=each.mode, user=each.owner, group=each.group,
                           create_remote_dir=False, host_name=host.name, name=f"Write {each.path}",
                           **each.variables)  # fmt: skip
        case Link():
            files.link(path=each.path, target=each.target, create_remote_dir=False, name=f"Make the link {each.path}")
        case Absent():
            files.file(path=each.path, present=False, create_remote_dir=False, name=f"Remove {each.path}")
        case User():
            server.user(user=each.name, uid=each.uid, comment=each.comment, home=each.home, shell=each.shell,
                        groups=list(each.groups), create_home=True, name=f"Make the account {each.name}")  # fmt: skip
        case Packages():
            apt.packages(packages=list(each.names), name="Install packages")
