"""A release: images, environment, secrets and schema of an application together, under one id."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from slipway.compose import SecretRef, Service, Stack
from slipway.context import Context
from slipway.fleet import Fleet
from slipway.images import Build, ImageFailed, image_name
from slipway.images.registry import resolve
from slipway.problems import Problem, Problems
from slipway.secrets import Sealed, Secret, SecretMissing, Secrets
from slipway.who import who


@dataclass(frozen=True)
class Release:
    """What a run is to bring. The same content has the same id on every controller, at any time."""

    id: str
    """12 hexadecimal digits that follow from everything below and nothing else."""
    stack: str
    images: Mapping[str, str]
    """Service to image reference: a digest, or a tag that is made of the source."""
    secrets: Mapping[str, str]
    """Key in the Compose file to the fingerprint of its value."""
    services: Mapping[str, str]
    """Service to the fingerprint of what it is."""
    schema: str = ""
    """Key of the migration that it needs to have run; empty without one."""


@dataclass(frozen=True)
class Origin:
    """Where a release came from. None of it decides what a release is."""

    who: str
    """User and host of the controller."""
    commit: str
    """Commit of the project, with `-dirty` where files differ from it; empty outside of a repository."""


def release_of(stack: Stack, fleet: Fleet, secrets: Secrets) -> Release:
    """The release that these inputs are. Reads sources and secrets, builds nothing. Raises BadInput."""
    problems = Problems()
    images = {service.name: _image_of(stack, service, problems) for service in stack.services}
    versions = {name: _version_of(stack, name, secrets, problems) for name in _used_secrets(stack, problems)}
    addresses = {name: _native_addresses(stack, name, fleet, problems) for name in sorted(stack.native)}
    for service in stack.services:
        if not fleet.group(service.x.group):
            hint = f"add hosts to the group {service.x.group!r}, or name another one in x-slipway.group"
            problems.add(f"stack {stack.name}: {service.name}", f"no host is in its group {service.x.group!r}", hint)
    problems.raise_if_any()
    services = {service.name: service.fingerprint() for service in stack.services}
    schema = schema_key(stack, images)
    told = json.dumps([stack.name, services, images, versions, addresses, schema], sort_keys=True)
    return Release(hashlib.sha256(told.encode()).hexdigest()[:12], stack.name, images, versions, services, schema)


def schema_key(stack: Stack, images: Mapping[str, str]) -> str:
    """Names a migration by what it is: the image it comes with and its command. Empty where the stack has none."""
    if stack.migration is None:
        return ""
    told = json.dumps([images[stack.migration.service], list(stack.migration.command)])
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def secret_of(ref: SecretRef, secrets: Secrets) -> Secret:
    """The value that a secret of the Compose file has. Raises SecretMissing where it has none."""
    if ref.kind == "slipway":
        return secrets.get(ref.source)
    return _of_the_file(ref)


def delivered_secret(ref: SecretRef, secrets: Secrets) -> Secret:
    """The same as containers get it: a name may be that of another version, see `Secrets.delivered`."""
    return secrets.delivered(ref.source) if ref.kind == "slipway" else _of_the_file(ref)


def _of_the_file(ref: SecretRef) -> Secret:
    """A secret that the Compose file takes from elsewhere than the inventory's source."""
    source = f"file {ref.source}" if ref.kind == "file" else f"environment {ref.source}"
    read = _file_text if ref.kind == "file" else os.environ.get
    return Secrets(source, lambda name: read(ref.source)).get(ref.name)


def container_secret(name: str, ctx: Context) -> Secret:
    """What containers get of a secret, by its key in the Compose file. Raises SecretMissing.

    Of a release on record it is the version that they had. Where today's source has another, its value is not known.
    """
    if ctx.stack is None:
        raise ValueError("there is no application")
    ref, version = ctx.stack.secrets[name], ctx.kept_secrets.get(name)
    if version is None:
        return delivered_secret(ref, ctx.secrets)
    try:
        todays = delivered_secret(ref, ctx.secrets)
    except SecretMissing:
        return Sealed(version)
    return todays if todays.fingerprint() == version else Sealed(version)


def environment_of(service: Service, ctx: Context, replica: int) -> dict[str, str]:
    """The variables of one container: the service's own, and which release, host, service and replica it is.

    Where the file sets one of ours itself, the file's stands.
    """
    ours = {
        "SLIPWAY_RELEASE": ctx.release.id if ctx.release else "",
        "SLIPWAY_HOST": ctx.host.name,
        "SLIPWAY_SERVICE": service.name,
        "SLIPWAY_REPLICA": str(replica),
    }
    return ours | service.environment


@functools.cache
def origin(root: Path) -> Origin:
    """Who deploys, and from which commit of the project at `root`."""
    return Origin(who(), _commit(root))


def _commit(root: Path) -> str:
    """Abbreviated, and whether files that git knows differ from it; empty where there is none."""
    lines = _git(root, "status", "--porcelain=v2", "--branch", "--no-ahead-behind", "--untracked-files=no")
    said = [line.removeprefix(_HEAD) for line in lines if line.startswith(_HEAD)]
    head = said[0][:12] if said and said[0].isalnum() else ""  # `(initial)` before the first commit
    return head + ("-dirty" if head and not all(line.startswith("#") for line in lines) else "")


_HEAD = "# branch.oid "


def _git(root: Path, *words: str) -> list[str]:
    try:
        # Five seconds: a repository on a dead network drive must not stop a deploy that it only describes. Without
        # optional locks: who only looks must not be in the way of a commit that somebody makes meanwhile.
        command = ["git", "--no-optional-locks", *words]
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return done.stdout.splitlines() if done.returncode == 0 else []


def _image_of(stack: Stack, service: Service, problems: Problems) -> str:
    where = f"stack {stack.name}: {service.name}"
    try:
        if service.build is not None:
            return image_name(stack.name, build_of(service))
        return _pinned(service.image or "")
    except ImageFailed as error:
        what = f"image: {error.problem.where}: {error.problem.what}"
        problems.add(where, what, _hint(service, error.problem))
    return ""


@functools.cache
def _pinned(image: str) -> str:
    """Once per process: a tag must not mean two things within one run."""
    return resolve(image)


def _hint(service: Service, problem: Problem) -> str:
    if service.build is not None:
        return problem.hint
    return f"pin it: image: {service.image}@sha256:..., which needs no registry here; or {problem.hint}"


def build_of(service: Service) -> Build:
    """What the service's image is built from. Raises ValueError where it comes from a registry."""
    if service.build is None:
        raise ValueError(f"{service.name} is not built here")
    build = service.build
    return Build(build.context, build.dockerfile, build.args, build.target)


def _used_secrets(stack: Stack, problems: Problems) -> list[str]:
    return sorted({secret.source for service in stack.services for secret in service.secrets})


def _version_of(stack: Stack, name: str, secrets: Secrets, problems: Problems) -> str:
    users = ", ".join(each.name for each in stack.services if name in {secret.source for secret in each.secrets})
    try:
        with secrets.asked_by(users):
            return delivered_secret(stack.secrets[name], secrets).fingerprint()
    except SecretMissing as error:
        problems.extend([error.problem(users)])
    return ""


def _file_text(path: str) -> str | None:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None


def _native_addresses(stack: Stack, name: str, fleet: Fleet, problems: Problems) -> list[str]:
    native = stack.native[name]
    members = fleet.group(native.group)
    if not members and native.kind != "nginx":
        hint = f"add its host to the group {native.group!r} of the inventory"
        problems.add(f"stack {stack.name}: {name}", f"no host is in its group {native.group!r}", hint)
    return [member.address for member in members]
