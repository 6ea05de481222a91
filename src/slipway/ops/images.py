"""Images: on a host before anything is replaced, and the very same that was meant."""

from __future__ import annotations

import threading
from collections.abc import Generator

from pyinfra import host, logger
from pyinfra.api import StringCommand, operation
from pyinfra.api.exceptions import OperationError

from slipway.facts.containers import DockerFact
from slipway.facts.files import script, with_input
from slipway.facts.images import ImageRoomFact
from slipway.images import Build, Image, ImageFailed, ensure_built, image_name
from slipway.images.engine import connect, image_id
from slipway.images.registry import pull_words
from slipway.images.transfer import LOAD_COMMAND, check_loaded, estimate, pack
from slipway.report import note_change

_building = threading.Lock()
"""Hosts are served at the same time; an image is built once, the others wait for it."""

_LOAD = f"set -eu; out=$({LOAD_COMMAND}); docker image inspect --format '{{{{.Id}}}}' \"$1\" >/dev/null"


_PULL = 'ref=$1; shift; "$@" || { echo "$ref could not be pulled" >&2; exit 1; }'


@operation()
def present(stack: str, ref: str, build: Build | None = None, seconds: int = 1800) -> Generator[StringCommand]:
    """The image on this host: streamed from the controller where it is built there, else pulled by its digest.

    Only where it is missing. Built first where the controller has not got it either. What arrived is compared with what
    was sent; an image that differs is removed again and the operation fails, naming both.

    + seconds: time limit for bringing it
    """
    if host.get_fact(DockerFact, stack=stack).image_id(ref):
        return
    note_change(f"image {ref}", "bring it to the host")
    if build is None:
        yield StringCommand(*script(_PULL, ref, *pull_words(ref)).bits, _timeout=seconds)
        return
    # The engine has to answer before minutes are spent on building; and what follows is done at execution only.
    yield script("exec docker version >/dev/null")
    try:
        image = _built(stack, ref, build)
        room = host.get_fact(ImageRoomFact)
        _check_room(image, room.free)
        blocks = pack(ref, room.held)
        yield with_input(script(_LOAD, ref), blocks, seconds)
        _check(stack, image)
    except _Differs as error:
        yield script('docker image rm --force "$1" >/dev/null; printf "%s\\n" "$2" >&2; exit 1', ref, str(error))
    except ImageFailed as error:
        raise OperationError(str(error)) from error


class _Differs(Exception):
    """What arrived is not what was sent."""


def _built(stack: str, ref: str, build: Build) -> Image:
    """From the local engine, or built for it. Raises ImageFailed where the source here makes another image now."""
    with _building:
        held = image_id(connect(), ref)
        if held:
            return Image(ref, held)
        if image_name(stack, build) != ref:
            hint = "check out the commit that the release came from, and deploy that"
            raise ImageFailed(ref, "its source here is no longer what it was built from", hint)
        return ensure_built(stack, build, say=lambda line: logger.info("build: %s", line))


def _check_room(image: Image, free: int) -> None:
    """Twice its size: the packed layers and the unpacked ones lie beside each other while they are loaded."""
    needed = 2 * estimate(image.ref).unpacked
    if free < needed:
        what = f"{free >> 20} MiB are free for images, {needed >> 20} MiB are needed for {image.ref}"
        raise OperationError(
            f"{what}\n  HINT: docker image prune, or give /var/lib/docker more room; nothing was changed"
        )


def _check(stack: str, image: Image) -> None:
    found = host.get_fact(DockerFact, stack=stack).image_id(image.ref)
    try:
        check_loaded(host.name, image.ref, image.image_id, found)
    except ImageFailed as error:
        raise _Differs(str(error)) from error
