"""What a release leaves on record: everything that it takes to run it again, from any controller. Pure."""

from __future__ import annotations

import base64
import json
import os
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from slipway.compose import Stack
from slipway.ops.files import content_hash
from slipway.paths import project_root
from slipway.problems import BadInput, Problem
from slipway.release import Release
from slipway.role import problems_of

FORMAT = 1
"""Part of every record; one of another format cannot be run again."""
CONFIGURATION_DIGITS = 8

BY_TODAY = frozenset({"when", "who", "commit", "staged", "image_ids"})
"""Fields of a record that say how it came to this host, and nothing of what it is."""


@dataclass(frozen=True)
class Entry:
    """What a run leaves on record: the release, and the configuration that it runs with, under one id."""

    id: str
    """The release's id, a dash, and the first digits of the configuration's hash."""
    release: Release
    application: Mapping[str, Any]
    """The stack; see `as_json`."""
    configuration: str
    """Hash over the application, every role's data of every host, and the templates."""
    roles: Mapping[str, Mapping[str, Any]]
    """Host name to role to its data, and which fields of that follow from the Compose file and the fleet."""
    templates: Mapping[str, str]
    """Name to text of each that was used."""
    commit: str = ""
    """Commit that a release on record came from."""
    found: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Of a release on record, host name to its record there: it stays as it is."""

    def on(self, host: str) -> dict[str, Any]:
        """The part of a host's record that follows from neither its containers nor its images."""
        return {
            "format": FORMAT,
            "id": self.id,
            "release": asdict(self.release),
            "stack": self.release.stack,
            "services": dict(self.release.services),
            "schema": self.release.schema,
            "application": self.application,
            "configuration": self.configuration,
            "roles": self.roles.get(host, {}),
            "templates": packed(self.templates),
        }


def entry(
    release: Release, stack: Stack, roles: Mapping[str, Mapping[str, Any]], templates: Mapping[str, str]
) -> Entry:
    """The entry of what a run brings. Equal content has the same id on every controller, at any time."""
    application = as_json(stack)
    told = json.dumps([application, roles, templates])  # in their order, which shows in what is rendered of them
    configuration = content_hash(told)
    identity = f"{release.id}-{configuration[:CONFIGURATION_DIGITS]}"
    return Entry(identity, release, application, configuration, roles, templates)


def as_json(stack: Stack) -> dict[str, Any]:
    """The stack as JSON, without a path of this controller: directories are relative to the project."""
    told = stack.model_dump(mode="json", exclude={"notes"})
    told["directory"] = _relative(stack.directory, project_root())
    for service in told["services"]:
        if service["build"]:
            service["build"]["context"] = _relative(Path(service["build"]["context"]), stack.directory)
    return told


def _relative(path: Path, to: Path) -> str:
    return os.path.relpath(path, to)


def stack_of(told: Mapping[str, Any]) -> Stack:
    """The stack again, in this project. Raises ValidationError."""
    directory = Path(os.path.normpath(project_root() / str(told["directory"])))
    services = [_placed(service, directory) for service in told["services"]]
    return Stack.model_validate_json(json.dumps({**told, "directory": str(directory), "services": services}))


def _placed(service: Mapping[str, Any], directory: Path) -> dict[str, Any]:
    build = service.get("build")
    if not build:
        return dict(service)
    return {**service, "build": {**build, "context": os.path.normpath(directory / build["context"])}}


def packed(templates: Mapping[str, str]) -> str:
    """Texts by name as one line of text, a fifth of their size."""
    return base64.b64encode(zlib.compress(json.dumps(templates, sort_keys=True).encode(), 9)).decode()


def unpacked(text: str) -> dict[str, str]:
    """Texts by name again. Raises ValueError for what is no such line."""
    try:
        found = json.loads(zlib.decompress(base64.b64decode(text, validate=True)))
    except zlib.error as error:
        raise ValueError(str(error)) from error
    if not isinstance(found, dict):
        raise ValueError("no templates")
    return found


@dataclass(frozen=True)
class Recalled:
    """A release on record, ready to be run again."""

    id: str
    release: Release
    stack: Stack
    templates: Mapping[str, str]
    commit: str
    hosts: Mapping[str, Mapping[str, Any]]
    """Host name to its record, of the hosts that have one."""

    def roles_on(self, host: str) -> Mapping[str, Any]:
        """Role to its data and which fields are derived; empty for a host that the record does not know."""
        found: Mapping[str, Any] = self.hosts.get(host, {}).get("roles", {})
        return found

    def entry(self) -> Entry:
        """The same entry that it was: going back leaves what is on record as it is."""
        first = next(iter(self.hosts.values()))
        roles = {host: self.roles_on(host) for host in self.hosts}
        return Entry(
            self.id, self.release, first["application"], first["configuration"], roles, self.templates, self.commit,
            {host: {key: said for key, said in record.items() if key not in BY_TODAY}
             for host, record in self.hosts.items()},
        )  # fmt: skip

    def refused(self, problem: Problem) -> Problem:
        """What today's roles say of it, as a finding about the record."""
        return _refused(self.id, self.commit, problem)


_SAME = ("release", "application", "configuration", "templates")
"""Fields that every host's record of a release has alike."""


def recalled(identity: str, hosts: Mapping[str, Mapping[str, Any]]) -> Recalled:
    """The release of that id from its record on each host. Raises BadInput where it cannot be run again."""
    first_host, first = next(iter(hosts.items()))
    commit = str(first.get("commit", ""))
    for host, record in hosts.items():
        if problem := _unusable(identity, host, record) or _differs(identity, host, record, first_host, first):
            raise BadInput([problem])
    try:
        stack = stack_of(first["application"])
        release = Release(**{each.name: first["release"][each.name] for each in fields(Release)})
        return Recalled(identity, release, stack, unpacked(first["templates"]), commit, hosts)
    except ValidationError as error:
        found = problems_of(error, "application", Stack)
        raise BadInput(_refused(identity, commit, problem) for problem in found) from error
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput([_damaged(identity, first_host, f"{type(error).__name__}: {error}")]) from error


def _unusable(identity: str, host: str, record: Mapping[str, Any]) -> Problem | None:
    if record.get("format") == FORMAT:
        return None
    what = "was recorded by another version of Slipway, without all that it takes to run it again"
    return Problem(f"release {identity} on {host}", what, way_out(str(record.get("commit", ""))))


def _differs(
    identity: str, host: str, record: Mapping[str, Any], other: str, first: Mapping[str, Any]
) -> Problem | None:
    for name in _SAME:
        if record.get(name) != first.get(name):
            return _damaged(identity, host, f"{name} is not what {other} has")
    return None


def _damaged(identity: str, host: str, what: str) -> Problem:
    hint = f"remove /var/lib/slipway/releases/{identity}.json there; the record of any other host is enough"
    return Problem(f"release {identity} on {host}", f"its record has been changed or damaged: {what}", hint)


def _refused(identity: str, commit: str, problem: Problem) -> Problem:
    return Problem(f"release {identity}, on record: {problem.where}", problem.what, way_out(commit))


def way_out(commit: str) -> str:
    """What to do with a release that cannot be run from its record."""
    return f"check out commit {commit.removesuffix('-dirty') or 'of then'} and deploy that, with the Slipway of then"
