"""Which layers a host has already: a new release of an application shares all but its last few with the one before."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterable, Sequence
from typing import IO

HELD_COMMAND = (
    "docker image ls --quiet --no-trunc | sort -u | xargs -r docker image inspect --format '{{json .RootFS.Layers}}'"
)
"""Run on a host by its shell: one line of JSON per image it has. Constant, so nothing needs quoting."""


def read_held(output: str) -> list[list[str]]:
    """What HELD_COMMAND printed: per image its layers, lowest first."""
    return [json.loads(line) or [] for line in output.splitlines() if line.strip()]


def shared_layers(layers: Sequence[str], held: Iterable[Sequence[str]]) -> int:
    """How many of an image's lowest layers, in unbroken order, some image of the host has too."""
    return max((_common_prefix(layers, other) for other in held), default=0)


def _common_prefix(one: Sequence[str], other: Sequence[str]) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((index for index, (a, b) in pairs if a != b), min(len(one), len(other)))


def members_to_skip(archive: tarfile.TarFile, shared: int) -> set[str]:
    """Names within a `docker save` archive that hold the `shared` lowest layers and nothing that is still needed.

    `docker load` does not open the file of a layer that the engine has.
    """
    layers = _layer_files(archive)
    needed = set(layers[shared:]) | _link_targets(archive)
    return set(layers[:shared]) - needed


def _layer_files(archive: tarfile.TarFile) -> list[str]:
    manifest: IO[bytes] | None = archive.extractfile("manifest.json")
    if manifest is None:
        raise ValueError("no manifest.json in the archive of docker save")
    return [str(name) for name in json.load(manifest)[0]["Layers"]]


def _link_targets(archive: tarfile.TarFile) -> set[str]:
    """An old engine writes a layer that occurs twice once, and a link to it from the other place."""
    return {member.linkname.removeprefix("../") for member in archive.getmembers() if member.issym() or member.islnk()}
