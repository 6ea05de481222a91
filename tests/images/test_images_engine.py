"""Images through a real Docker engine: built once, carried over, checked, published."""

from __future__ import annotations

import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from slipway.images import Build, ImageFailed, ensure_built
from slipway.images.engine import image_id
from slipway.images.layers import HELD_COMMAND, read_held
from slipway.images.registry import publish, pull_words, resolve
from slipway.images.transfer import LOAD_COMMAND, check_loaded, estimate, inspect_words, pack

pytestmark = pytest.mark.docker
STACK = "images-test"


@pytest.fixture
def client() -> Iterator[Any]:
    """The local engine; every image of these tests is gone afterwards."""
    client = docker.from_env()
    yield client
    for image in client.images.list(name=f"slipway/{STACK}"):
        client.images.remove(image.id, force=True)
    client.close()


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """Two layers on Debian, quick to make."""
    (tmp_path / "Dockerfile").write_text(
        "ARG BASE\nFROM ${BASE}\nRUN echo packages > /packages\nCOPY code /code\nRUN echo $SECRETLESS > /done\n"
    )
    (tmp_path / "code").write_text("print(1)\n")
    return Build(tmp_path, args={"BASE": "debian:trixie-slim"})


def in_shell(command: str, blocks: bytes = b"") -> bytes:
    """What a host's shell is given, given to the one of this machine."""
    return subprocess.run(["sh", "-c", command], input=blocks, check=True, capture_output=True).stdout


def sent(client: Any, ref: str, held: list[list[str]]) -> int:
    """Loads a packed image as a host would; how many bytes that took."""
    blocks = b"".join(pack(ref, held, client))
    in_shell(LOAD_COMMAND, blocks)
    return len(blocks)


def held_here() -> list[list[str]]:
    return read_held(in_shell(HELD_COMMAND).decode())


def test_an_image_is_built_once(client: Any, build: Build) -> None:
    """The first call builds and shows the builder's lines, the second finds it; an edit is another image."""
    lines: list[str] = []
    first = ensure_built(STACK, build, client=client, say=lines.append)
    second = ensure_built(STACK, build, client=client, say=lines.append)
    assert (first.was_built, second.was_built) == (True, False)
    assert first.image_id == second.image_id
    assert any(line.startswith("Step 1/") for line in lines)
    (build.context / "code").write_text("print(2)\n")
    assert ensure_built(STACK, build, client=client).ref != first.ref


def test_a_build_that_fails_shows_its_last_lines(client: Any, build: Build) -> None:
    """What the failing step said, the file to mend, and nothing of a traceback."""
    (build.context / "Dockerfile").write_text("ARG BASE\nFROM ${BASE}\nRUN echo it is broken here; exit 3\n")
    with pytest.raises(ImageFailed) as caught:
        ensure_built(STACK, build, client=client)
    told = str(caught.value)
    assert "it is broken here" in told
    assert "code: 3" in told
    assert str(build.context / "Dockerfile") in told


def test_a_proxy_for_packages_leaves_no_trace(client: Any, build: Build) -> None:
    """The proxy serves the build; image, history and name do not know of it."""
    plain = ensure_built(STACK, build, client=client)
    client.images.remove(plain.ref)
    proxied = ensure_built(STACK, build, client=client, http_proxy="http://proxy.invalid:1")
    assert proxied.ref == plain.ref
    image = client.images.get(proxied.ref)
    assert "proxy.invalid" not in f"{image.attrs} {image.history()}"


def test_a_packed_image_arrives_whole(client: Any, build: Build) -> None:
    """Sent to an engine that has nothing of it, it has the same id; the estimate of its size is fair."""
    image = ensure_built(STACK, build, client=client)
    size = estimate(image.ref, client)
    blocks = b"".join(pack(image.ref, client=client))
    assert size.packed_estimate / 2 < len(blocks) < size.packed_estimate * 2
    client.images.remove(image.ref)
    assert image_id(client, image.ref) is None
    in_shell(LOAD_COMMAND, blocks)
    found = subprocess.run(inspect_words(image.ref), check=True, capture_output=True, text=True).stdout
    check_loaded("here", image.ref, image.image_id, found)


def test_layers_that_a_host_has_are_not_sent(client: Any, build: Build) -> None:
    """A second release goes over as a few kilobytes, loads to the same id, and runs."""
    first = ensure_built(STACK, build, client=client)
    (build.context / "code").write_text("print('the second release')\n")
    second = ensure_built(STACK, build, client=client)
    # The engine is to be a host that has the first release only; what is sent was packed before.
    blocks = b"".join(pack(second.ref, [client.images.get(first.ref).attrs["RootFS"]["Layers"]], client))
    client.images.remove(second.ref)
    assert len(blocks) < 20_000
    in_shell(LOAD_COMMAND, blocks)
    assert image_id(client, second.ref) == second.image_id
    told = client.containers.run(second.ref, ["cat", "/code", "/packages"], remove=True)
    assert told == b"print('the second release')\npackages\n"


def test_an_image_that_is_all_there_costs_next_to_nothing(client: Any, build: Build) -> None:
    """What a host says it holds is understood: nothing but the description is sent."""
    image = ensure_built(STACK, build, client=client)
    assert sent(client, image.ref, held_here()) < 20_000
    assert image_id(client, image.ref) == image.image_id


def test_an_unknown_image_cannot_be_packed(client: Any) -> None:
    """A name that this engine does not have is told as such, before anything is sent."""
    with pytest.raises(ImageFailed, match="is not in the engine of this machine"):
        b"".join(pack("slipway/nothing:0", client=client))


@pytest.fixture
def registry(client: Any) -> Iterator[str]:
    """Debian's docker-registry in a container, on a port of loopback only."""
    recipe = Build(Path(__file__).parent / "registry", args={"BASE": "debian:trixie-slim"})
    image = ensure_built("registry-for-tests", recipe, client=client)
    port = {"5000/tcp": ("127.0.0.1", None)}
    container = client.containers.run(image.ref, detach=True, ports=port)
    container.reload()
    address = f"127.0.0.1:{container.ports['5000/tcp'][0]['HostPort']}"
    try:
        _wait_for(address)
        yield address
    finally:
        container.remove(force=True, v=True)


def _wait_for(address: str) -> None:
    for _ in range(100):
        try:
            urllib.request.urlopen(f"http://{address}/v2/", timeout=1)
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)  # a registry on this machine takes a second to start
        else:
            return
    raise AssertionError("the registry did not start")


def test_through_a_registry_an_image_is_pulled_by_its_digest(client: Any, build: Build, registry: str) -> None:
    """Published, resolved from its tag to a digest, pulled by that digest: the same image."""
    image = ensure_built(STACK, build, client=client)
    repository = f"{registry}/team/app"
    published = publish(image.ref, repository, client)
    pinned = resolve(f"{repository}:{image.ref.rpartition(':')[2]}", client)
    assert pinned == published
    client.images.remove(f"{repository}:{image.ref.rpartition(':')[2]}")
    client.images.remove(image.ref)
    subprocess.run(pull_words(pinned), check=True, capture_output=True)
    assert image_id(client, pinned) == image.image_id
    client.images.remove(pinned)


def test_what_a_registry_does_not_have_is_told(client: Any, registry: str) -> None:
    """A wrong tag names the image and what to look at; a registry that is off likewise."""
    for image in (f"{registry}/team/none:1", "127.0.0.1:1/team/none:1"):
        with pytest.raises(ImageFailed) as caught:
            resolve(image, client)
        assert image in str(caught.value)
        assert "HINT" in str(caught.value)


def test_without_a_registry_the_base_is_made_from_packages(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Debian base needs no registry; another image that cannot be had is told with its reason."""
    from slipway.images.base import ensure_base

    said: list[str] = []
    base = ensure_base(client, "debian:trixie-slim", said.append)
    assert base in ("debian:trixie-slim", "slipway/debian:trixie")
    assert client.containers.run(base, ["sh", "-c", ". /etc/os-release; echo $ID$VERSION_ID"], remove=True) == (
        b"debian13\n"
    )
    with pytest.raises(ImageFailed, match="cannot be pulled"):
        ensure_base(client, "127.0.0.1:1/other:1", said.append)
    if shutil.which("mmdebstrap"):
        monkeypatch.setenv("PATH", "/nonexistent")
        from slipway.images.base import bootstrap

        with pytest.raises(ImageFailed, match="mmdebstrap is missing"):
            bootstrap(client, "trixie", said.append)
