"""Building an image where this machine does not have it yet."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from slipway.images.base import ensure_base
from slipway.images.engine import connect, image_id
from slipway.images.problem import ImageFailed
from slipway.images.source import Build, context_archive, image_name, source_digest

if TYPE_CHECKING:
    from docker import DockerClient

Say = Callable[[str], None]
BASE = "BASE"
"""The build argument that names the base image, by convention of the Dockerfiles that Slipway can give another base."""
LAST_LINES = 15


@dataclass(frozen=True)
class Image:
    """An image in the local engine: its name, and the id by which hosts are compared."""

    ref: str
    image_id: str
    was_built: bool = False


def ensure_built(
    stack_name: str,
    build: Build,
    *,
    client: DockerClient | None = None,
    say: Say = lambda line: None,
    http_proxy: str | None = None,
) -> Image:
    """The image of this source, built only where the local engine has none of its name.

    `say` gets each line of the build. `http_proxy` is for the build alone (a cache of packages): it does not show in
    the image or in its name. Raises ImageFailed with the last lines of a build that failed.
    """
    client = client or connect()
    ref = image_name(stack_name, build)
    found = image_id(client, ref)
    if found:
        return Image(ref, found)
    arguments = _arguments(client, build, say, http_proxy)
    say(f"building {ref}")
    _run(_steps(client, build, ref, arguments), ref, build, say)
    built = image_id(client, ref)
    if built is None:
        raise ImageFailed(ref, "the build ended without an image", "is another program removing images here?")
    return Image(ref, built, was_built=True)


def _arguments(client: DockerClient, build: Build, say: Say, http_proxy: str | None) -> dict[str, str]:
    """The name of the base may be replaced by one made here; the image's own name stays that of what was asked for."""
    given = dict(build.args)
    if BASE in given:
        given[BASE] = ensure_base(client, given[BASE], say)
    return given | ({"http_proxy": http_proxy} if http_proxy else {})


def _steps(client: DockerClient, build: Build, ref: str, arguments: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    steps: Iterator[dict[str, Any]] = client.api.build(
        fileobj=context_archive(build),
        custom_context=True,
        dockerfile=build.dockerfile,
        target=build.target,
        tag=ref,
        buildargs=dict(arguments),
        labels={"slipway.source": source_digest(build)},
        rm=True,
        forcerm=True,
        decode=True,
    )
    return steps


def _run(steps: Iterator[dict[str, Any]], ref: str, build: Build, say: Say) -> None:
    last: deque[str] = deque(maxlen=LAST_LINES)
    for step in steps:
        for line in str(step.get("stream", "")).splitlines():
            if line.strip():
                say(line)
                last.append(line)
        if "error" in step:
            raise ImageFailed(ref, _told(str(step["error"]), last), _hint(last, build))


def _told(error: str, last: deque[str]) -> str:
    return "\n  ".join(["the build failed", *last, error.strip()])


def _hint(last: deque[str], build: Build) -> str:
    text = "\n".join(last)
    if "Temporary failure resolving" in text or "Could not connect" in text or "Failed to fetch" in text:
        return "containers on this machine cannot reach the package servers: check its network, DNS and proxy"
    return f"mend {build.context / build.dockerfile} or what it copies, then run again; nothing was deployed"
