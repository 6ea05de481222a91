"""Images of a registry: which digest a tag stands for now, and how hosts get exactly that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slipway.images.engine import connect
from slipway.images.problem import ImageFailed

if TYPE_CHECKING:
    from docker import DockerClient


def resolve(image: str, client: DockerClient | None = None) -> str:
    """`repository@sha256:...` for `repository:tag`, asked of the registry with this machine's `docker login`.

    An image that names its digest already is returned as it is. Raises ImageFailed where the registry cannot tell.
    """
    if "@sha256:" in image:
        return image
    from docker.errors import APIError

    client = client or connect()
    try:
        data = client.images.get_registry_data(image)
    except APIError as error:
        raise ImageFailed(image, f"the registry does not know it: {error.explanation or error}", _hint(error)) from None
    return f"{repository_of(image)}@{data.id}"


def pull_words(pinned: str) -> list[str]:
    """What a host runs to get an image by its digest; Docker checks the digest itself."""
    if "@sha256:" not in pinned:
        raise ValueError(f"{pinned} names no digest")
    return ["docker", "pull", "--quiet", pinned]


def publish(ref: str, repository: str, client: DockerClient | None = None) -> str:
    """Pushes a local image under its own tag; `repository@sha256:...`. Raises ImageFailed."""
    client = client or connect()
    tag = ref.rpartition(":")[2]
    client.images.get(ref).tag(repository, tag)
    for step in client.api.push(repository, tag=tag, stream=True, decode=True):
        if "error" in step:
            hint = "does the registry run, and has `docker login` been done here?"
            raise ImageFailed(f"{repository}:{tag}", f"cannot be pushed: {step['error']}", hint)
        if "Digest" in step.get("aux", {}):
            return f"{repository}@{step['aux']['Digest']}"
    raise ImageFailed(f"{repository}:{tag}", "the registry named no digest after the push")


def repository_of(image: str) -> str:
    """The image's name without its tag. A colon before the last slash belongs to the registry's port."""
    head, slash, last = image.rpartition("/")
    return f"{head}{slash}{last.partition(':')[0]}"


def _hint(error: object) -> str:
    status = getattr(error, "status_code", None)
    if status in (401, 403):
        return "docker login to that registry on this machine, or correct the name"
    return "check the name and the tag, and that this machine reaches the registry"
