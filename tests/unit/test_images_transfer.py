"""What goes over the network to a host, and how it is known to have arrived."""

from __future__ import annotations

import gzip
import io
import json
import tarfile

import pytest

from slipway.images import ImageFailed
from slipway.images.base import debian_suite
from slipway.images.layers import members_to_skip, read_held, shared_layers
from slipway.images.registry import pull_words, repository_of, resolve
from slipway.images.transfer import _without_shared, check_loaded, compressed, inspect_words

LAYERS = ["sha256:base", "sha256:packages", "sha256:code"]


def saved(layers: list[str], *links: tuple[str, str]) -> bytes:
    """An archive as `docker save` makes it: layers, links for repeated ones, the manifest last."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name in layers:
            data = name.encode() * 700
            entry = tarfile.TarInfo(f"{name}/layer.tar")
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
        for name, target in links:
            entry = tarfile.TarInfo(f"{name}/layer.tar")
            entry.type, entry.linkname = tarfile.SYMTYPE, f"../{target}/layer.tar"
            archive.addfile(entry)
        names = [*layers, *(name for name, _ in links)]
        manifest = json.dumps([{"Layers": [f"{name}/layer.tar" for name in names]}]).encode()
        entry = tarfile.TarInfo("manifest.json")
        entry.size = len(manifest)
        archive.addfile(entry, io.BytesIO(manifest))
    return packed.getvalue()


def test_compressed_blocks_are_one_gzip_stream() -> None:
    """What is sent is what gzip on the host reads, whatever the blocks were."""
    blocks = [b"a" * 100_000, b"", b"b" * 7, bytes(range(256)) * 50]
    assert gzip.decompress(b"".join(compressed(blocks))) == b"".join(blocks)


@pytest.mark.parametrize(
    ("held", "shared"),
    [
        ([], 0),
        ([["sha256:other"]], 0),
        ([LAYERS[:1]], 1),
        ([["sha256:other"], LAYERS[:2]], 2),
        ([[*LAYERS[:2], "sha256:older code"]], 2),
        ([["sha256:other", "sha256:packages", "sha256:code"]], 0),
        ([LAYERS], 3),
    ],
)
def test_only_an_unbroken_run_of_lowest_layers_is_shared(held: list[list[str]], shared: int) -> None:
    """A layer counts as held only together with all below it: that is what Docker knows it by."""
    assert shared_layers(LAYERS, held) == shared


def test_shared_layers_are_left_out_and_the_rest_is_unchanged() -> None:
    """The archive that is sent is a whole one: every other member, byte for byte."""
    whole = saved(["base", "packages", "code"])
    thin = b"".join(_without_shared([whole[:1000], whole[1000:]], 2))
    with tarfile.open(fileobj=io.BytesIO(thin)) as archive:
        assert archive.getnames() == ["code/layer.tar", "manifest.json"]
        code = archive.extractfile("code/layer.tar")
        assert code is not None
        assert code.read() == b"code" * 700


def test_a_shared_layer_that_a_later_one_links_to_stays() -> None:
    """An old engine writes equal layers once: the copy that is linked to is needed."""
    with tarfile.open(fileobj=io.BytesIO(saved(["base", "empty", "code"], ("empty-again", "empty")))) as archive:
        assert members_to_skip(archive, 2) == {"base/layer.tar"}


def test_what_a_host_holds_is_read_from_its_answer() -> None:
    """One line of JSON per image; an image without layers prints null."""
    assert read_held('["sha256:a","sha256:b"]\n\nnull\n') == [["sha256:a", "sha256:b"], []]


def test_a_loaded_image_must_be_the_one_that_was_sent() -> None:
    """Another id, or none, names host, expected and found."""
    check_loaded("web1", "slipway/demo:1", "sha256:aa", "sha256:aa\n")
    for found, told in (("sha256:bb", "sha256:bb"), ("", "missing")):
        with pytest.raises(ImageFailed) as caught:
            check_loaded("web1", "slipway/demo:1", "sha256:aa", found)
        assert all(word in str(caught.value) for word in ("web1", "sha256:aa", told, "HINT"))


def test_words_for_hosts_are_arguments_not_shell() -> None:
    """A name is one argument, whatever stands in it."""
    assert inspect_words("a; b") == ["docker", "image", "inspect", "--format", "{{.Id}}", "a; b"]
    assert pull_words("r/x@sha256:00") == ["docker", "pull", "--quiet", "r/x@sha256:00"]
    with pytest.raises(ValueError, match="names no digest"):
        pull_words("r/x:latest")


@pytest.mark.parametrize(
    ("image", "repository"),
    [
        ("redis:8", "redis"),
        ("redis", "redis"),
        ("reg.example:5000/team/app:1.2", "reg.example:5000/team/app"),
        ("reg.example:5000/app", "reg.example:5000/app"),
    ],
)
def test_the_colon_of_a_port_is_not_a_tag(image: str, repository: str) -> None:
    """The repository of an image is what stands before its tag."""
    assert repository_of(image) == repository


def test_a_digest_needs_no_registry() -> None:
    """An image that is pinned already is taken as it is, without asking anybody."""
    pinned = "reg.example/app@sha256:" + "0" * 64
    assert resolve(pinned) == pinned


@pytest.mark.parametrize(
    ("image", "suite"),
    [
        ("debian:trixie-slim", "trixie"),
        ("debian:13", "trixie"),
        ("docker.io/library/debian:bookworm", "bookworm"),
        ("debian:sid", None),
        ("python:3.13", None),
        ("reg.example/debian:trixie", None),
    ],
)
def test_only_debian_itself_can_be_made_here(image: str, suite: str | None) -> None:
    """A base is replaced by one made from Debian's packages only where it is that Debian release and nothing else."""
    assert debian_suite(image) == suite
