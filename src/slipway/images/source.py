"""What an image is built from, and the name that follows from it."""

from __future__ import annotations

import hashlib
import io
import stat
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from slipway.images.ignored import paths_within
from slipway.images.problem import ImageFailed

NAME_DIGITS = 16
FORMAT = b"slipway image source 1\n"
"""Part of every digest; a change of what is hashed below changes it."""


@dataclass(frozen=True)
class Build:
    """A Compose file's `build`: its context on this machine, and what the Dockerfile is told."""

    context: Path
    dockerfile: str = "Dockerfile"
    args: Mapping[str, str] = field(default_factory=dict)
    target: str | None = None


def image_name(stack: str, build: Build) -> str:
    """`slipway/STACK:DIGITS`: services of a stack with equal builds share it, an edit of the source changes it."""
    return f"slipway/{stack}:{source_digest(build)[:NAME_DIGITS]}"


def source_digest(build: Build) -> str:
    """SHA-256 over everything the build is given: the same on every machine, at any time, for any umask.

    Files that .dockerignore leaves out do not count. Raises ImageFailed where context or Dockerfile is missing.
    """
    digest = hashlib.sha256(FORMAT)
    for name, value in sorted(build.args.items()):
        _add(digest, "arg", name, value)
    _add(digest, "dockerfile", build.dockerfile, build.target or "")
    for path in source_paths(build):
        _add(digest, *_described(build.context / path, path))
    return digest.hexdigest()


def source_paths(build: Build) -> list[str]:
    """Paths within the context that go to the builder, sorted; always with the Dockerfile."""
    if not (build.context / build.dockerfile).is_file():
        hint = "`build.context` and `build.dockerfile` are relative to the Compose file"
        raise ImageFailed(str(build.context), f"no {build.dockerfile} there to build from", hint)
    found = paths_within(build.context, [*_ignored(build.context)], build.dockerfile)
    return sorted(Path(path).as_posix() for path in found)


def context_archive(build: Build) -> io.BytesIO:
    """The context as the tar that a builder takes. Owners, times and umask do not show in it: see `_normal`."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for path in source_paths(build):
            archive.add(build.context / path, arcname=path, recursive=False, filter=_normal)
    packed.seek(0)
    return packed


def _normal(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """Of the mode only whether it can be run counts: a checkout with umask 077 must not make an unreadable image."""
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    entry.mtime = 0
    if not entry.issym():
        entry.mode = 0o755 if entry.isdir() or entry.mode & stat.S_IXUSR else 0o644
    return entry


def _ignored(context: Path) -> Iterator[str]:
    file = context / ".dockerignore"
    lines = file.read_text().splitlines() if file.is_file() else []
    return (line.strip() for line in lines if line.strip() and not line.startswith("#"))


def _described(file: Path, path: str) -> tuple[str, str, str]:
    if file.is_symlink():
        return "link", path, str(file.readlink())
    if file.is_dir():
        return "directory", path, ""
    runs = "program" if file.stat().st_mode & stat.S_IXUSR else "file"
    return runs, path, hashlib.sha256(file.read_bytes()).hexdigest()


def _add(digest: hashlib._Hash, *parts: str) -> None:
    """Each part with its length, so that no two lists of parts read the same."""
    for part in parts:
        data = part.encode(errors="surrogateescape")
        digest.update(b"%d:" % len(data) + data)
