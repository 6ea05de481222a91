"""The images that hosts and the package cache start from: built once, found again by the hash of their recipe."""

from __future__ import annotations

import hashlib
import io
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from slipway.lab.engine import LabFailed
from slipway.lab.hosts import RELEASES
from slipway.lab.layout import LABEL
from slipway.problems import BadInput, Problem

if TYPE_CHECKING:
    from docker import DockerClient

REPOSITORIES = ("slipway-lab-base", "slipway-lab-host", "slipway-lab-apt", "slipway-lab-light")
BASE, HOST, APT, LIGHT = REPOSITORIES
_HERE = Path(__file__).parent
_RECIPES = {HOST: _HERE / "image", APT: _HERE / "apt_cache", LIGHT: _HERE / "light"}
_BOOTSTRAP = ("mmdebstrap", "--variant=minbase", "--quiet")
Say = Callable[[str], None]


def tag_of(repository: str, debian: int) -> str:
    """The tag an image has: its Debian release and, for a built one, the hash of everything in its recipe."""
    if repository == BASE:
        return f"{BASE}:{debian}"
    digest = hashlib.sha256()
    for file in sorted(_RECIPES[repository].iterdir()):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return f"{repository}:{debian}-{digest.hexdigest()[:12]}"


def exists(client: DockerClient, tag: str) -> bool:
    """Whether the engine has the image already."""
    from docker.errors import ImageNotFound

    try:
        client.images.get(tag)
    except ImageNotFound:
        return False
    return True


def ensure_base(client: DockerClient, debian: int, say: Say) -> str:
    """Debian itself: pulled, or where no registry can be reached, bootstrapped from its packages. Returns the tag.

    Raises BadInput where neither is possible.
    """
    tag = tag_of(BASE, debian)
    if not exists(client, tag) and not _pull(client, debian, say):
        _bootstrap(client, debian, say)
    return tag


def ensure_built(client: DockerClient, repository: str, debian: int, say: Say, proxy: str | None = None) -> str:
    """The image of a recipe on the base of a release, packages through `proxy`. Returns the tag."""
    tag = tag_of(repository, debian)
    if not exists(client, tag):
        base = ensure_base(client, debian, say)
        say(f"building {tag}")
        _build(client, _RECIPES[repository], tag, {"BASE": base} | ({"http_proxy": proxy} if proxy else {}))
    return tag


def remove_all(client: DockerClient) -> list[str]:
    """Removes every image the lab has made; returns their tags. What a pull brought under Debian's name stays."""
    tags = [tag for image in client.images.list() for tag in image.tags if tag.partition(":")[0] in REPOSITORIES]
    for tag in sorted(tags, key=lambda tag: tag.startswith(BASE)):  # the base last: the others stand on it
        client.images.remove(tag)
    return tags


def _pull(client: DockerClient, debian: int, say: Say) -> bool:
    from docker.errors import DockerException

    say(f"pulling debian:{debian}")
    try:
        image = client.images.pull("debian", tag=str(debian))
    except DockerException:
        say(f"debian:{debian} cannot be pulled from here")
        return False
    return bool(image.tag(BASE, tag=str(debian)))


def _bootstrap(client: DockerClient, debian: int, say: Say) -> None:
    if shutil.which("mmdebstrap") is None:
        hint = "apt-get install mmdebstrap debian-archive-keyring, or make an image registry reachable"
        raise BadInput([Problem("lab", f"debian:{debian} cannot be pulled and mmdebstrap is missing", hint)])
    say(f"bootstrapping Debian {debian} from its packages")
    with tempfile.NamedTemporaryFile(suffix=".tar") as tar:
        done = subprocess.run([*_BOOTSTRAP, RELEASES[debian], "-"], stdout=tar, stderr=subprocess.PIPE, check=False)
        if done.returncode != 0:
            reason = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
            raise LabFailed("mmdebstrap", " ".join(reason), "are Debian's package servers reachable from this machine?")
        client.api.import_image_from_file(tar.name, repository=BASE, tag=str(debian))


def _build(client: DockerClient, recipe: Path, tag: str, arguments: dict[str, str]) -> None:
    from docker.errors import BuildError

    try:
        client.images.build(
            fileobj=_context(recipe),
            custom_context=True,
            tag=tag,
            buildargs=arguments,
            rm=True,
            forcerm=True,
            labels={LABEL: ""},
        )
    except BuildError as error:
        lines = [str(entry["stream"]).strip() for entry in error.build_log if "stream" in entry]
        raise LabFailed(
            tag, "\n  ".join([error.msg, *filter(None, lines[-5:])]), "can this machine reach Debian?"
        ) from error


def _context(recipe: Path) -> io.BytesIO:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for file in sorted(recipe.iterdir()):
            tar.add(file, arcname=file.name)
    packed.seek(0)
    return packed
