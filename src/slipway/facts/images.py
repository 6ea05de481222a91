"""What a host has of images, asked before one is brought to it."""

from __future__ import annotations

from dataclasses import dataclass

from pyinfra.api import FactBase, StringCommand

from slipway.facts.files import script
from slipway.images.layers import HELD_COMMAND, read_held

_SCRIPT = (
    f"command -v docker >/dev/null 2>&1 || exit 0; {HELD_COMMAND} || exit 1; "
    'root=$(docker info --format "{{.DockerRootDir}}") || exit 1; '
    'df --output=avail --block-size=1 -- "$root" | tail -n 1'
)


@dataclass(frozen=True)
class ImageRoom:
    """What need not be sent, and what room there is."""

    held: tuple[tuple[str, ...], ...] = ()
    """Layers of each image of the host, lowest first."""
    free: int = 0
    """Bytes free where Docker keeps its images."""


class ImageRoomFact(FactBase[ImageRoom]):
    """Layers that a host has, and room for more."""

    def command(self) -> StringCommand:
        return script(_SCRIPT)

    @staticmethod
    def default() -> ImageRoom:
        return ImageRoom()

    def process(self, output: list[str]) -> ImageRoom:
        return ImageRoom(tuple(map(tuple, read_held("\n".join(output[:-1])))), int(output[-1]))
