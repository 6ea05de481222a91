"""The Docker engine of the controller."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slipway.images.problem import ImageFailed

if TYPE_CHECKING:
    from docker import DockerClient

TIMEOUT_SECONDS = 600
"""For one answer of the engine: a build step that installs packages is silent for minutes on a slow line."""


def connect() -> DockerClient:
    """The local engine. Raises ImageFailed where none answers."""
    # Imported here: it costs a quarter of a second, which a run that needs no image should not pay.
    import docker
    from docker.errors import DockerException

    try:
        client = docker.from_env(timeout=TIMEOUT_SECONDS)
        client.ping()
    except DockerException as error:
        hint = "start Docker here, or let the Compose file name an image of a registry instead of a build"
        raise ImageFailed("Docker on this machine", f"does not answer: {error}", hint) from error
    return client


def image_id(client: DockerClient, ref: str) -> str | None:
    """The id of an image that this engine has under this name, None where it has none."""
    from docker.errors import ImageNotFound

    try:
        return str(client.images.get(ref).id)
    except ImageNotFound:
        return None
