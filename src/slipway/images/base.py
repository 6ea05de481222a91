"""The base that an image is built on: pulled, or where no registry can be reached, made from Debian's packages."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from typing import TYPE_CHECKING

from slipway.images.engine import image_id
from slipway.images.problem import ImageFailed

if TYPE_CHECKING:
    from docker import DockerClient

Say = Callable[[str], None]
SUITES = {"12": "bookworm", "13": "trixie", "bookworm": "bookworm", "trixie": "trixie"}
_DEBIAN = re.compile(r"(?:(?:docker\.io/)?(?:library/)?|slipway/)debian:(\w+)(?:-slim)?")
_LEFT_OUT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*")
"""As the -slim images of Debian leave them out; licences stay."""


def debian_suite(image: str) -> str | None:
    """The Debian release an image stands for, None where it is another image or not a release known here."""
    match = _DEBIAN.fullmatch(image)
    return SUITES.get(match[1]) if match else None


def own_base(suite: str) -> str:
    """How the base made here is called."""
    return f"slipway/debian:{suite}"


def ensure_base(client: DockerClient, wanted: str, say: Say) -> str:
    """The image to build on: `wanted`, or the same Debian release made here. Raises ImageFailed."""
    suite = debian_suite(wanted)
    own = own_base(suite) if suite else None
    for ref in filter(None, (wanted, own)):
        if image_id(client, ref):
            return ref
    # Whatever a registry has under our own name is not ours.
    reason = "it is made here" if wanted == own else _pull(client, wanted, say)
    if not reason:
        return wanted
    if own is None or suite is None:
        raise ImageFailed(wanted, f"cannot be pulled: {reason}", "make its registry reachable, or load it here by hand")
    bootstrap(client, suite, say)
    return own


BOOTSTRAP_SECONDS = 1800
"""It takes about 15 s; a mirror at the end of a slow line may take a hundred times as long."""
_HINT = "can this machine reach Debian?"


def bootstrap(client: DockerClient, suite: str, say: Say) -> None:
    """Makes the base of a Debian release from its packages, about 15 s. Raises ImageFailed."""
    if shutil.which("mmdebstrap") is None:
        hint = "apt-get install mmdebstrap debian-archive-keyring, or make an image registry reachable"
        raise ImageFailed(own_base(suite), "no registry can be reached and mmdebstrap is missing", hint)
    say(f"making {own_base(suite)} from Debian's packages")
    with tempfile.NamedTemporaryFile(suffix=".tar") as archive:
        words = ["mmdebstrap", "--quiet", "--variant=minbase", *_dpkg_options(), suite, "-"]
        try:
            done = subprocess.run(words, stdout=archive, stderr=subprocess.PIPE, timeout=BOOTSTRAP_SECONDS, check=False)
        except subprocess.TimeoutExpired:
            raise ImageFailed(own_base(suite), f"mmdebstrap: no end within {BOOTSTRAP_SECONDS} s", _HINT) from None
        if done.returncode != 0:
            last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
            raise ImageFailed(own_base(suite), " ".join(["mmdebstrap:", *last]), _HINT)
        client.api.import_image_from_file(archive.name, repository="slipway/debian", tag=suite)


def _dpkg_options() -> list[str]:
    excluded = [f"--dpkgopt=path-exclude={path}" for path in _LEFT_OUT]
    return [*excluded, "--dpkgopt=path-include=/usr/share/doc/*/copyright"]


def _pull(client: DockerClient, image: str, say: Say) -> str:
    """Why it cannot be pulled; an empty text where it was."""
    from docker.errors import DockerException

    say(f"pulling {image}")
    try:
        client.images.pull(image)
    except DockerException as error:
        return str(error)
    return ""
