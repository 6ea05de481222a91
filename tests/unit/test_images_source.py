"""An image is named by what it is built from, and by nothing else."""

from __future__ import annotations

import io
import os
import shutil
import tarfile
from pathlib import Path

import pytest

from slipway.images import Build, ImageFailed, image_name, source_digest
from slipway.images.source import context_archive, source_paths


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """A small context with a program, a folder, a link, and files that the image ignores."""
    context = tmp_path / "context"
    (context / "src").mkdir(parents=True)
    (context / "Dockerfile").write_text("FROM scratch\nCOPY src /src\n")
    (context / ".dockerignore").write_text("# what the image does not need\n*.log\n!kept.log\n**/__pycache__\n")
    (context / "src" / "run").write_text("#!/bin/sh\n")
    (context / "src" / "run").chmod(0o755)
    (context / "src" / "data").write_text("1\n")
    (context / "src" / "link").symlink_to("data")
    (context / "kept.log").write_text("kept\n")
    return Build(context, args={"A": "1", "B": "2"})


def test_the_name_is_stack_and_sixteen_digits(build: Build) -> None:
    """`slipway/STACK:` and the first digits of the digest; the stack counts, the folder's place does not."""
    assert image_name("demo", build) == f"slipway/demo:{source_digest(build)[:16]}"
    assert len(source_digest(build)) == 64


def test_the_digest_does_not_depend_on_place_time_umask_or_order(build: Build, tmp_path: Path) -> None:
    """Another checkout, made later, with other permissions and its arguments in another order: the same image."""
    digest = source_digest(build)
    other = tmp_path / "elsewhere"
    shutil.copytree(build.context, other, symlinks=True)
    for path in (other / "src" / "data", other / "Dockerfile"):
        os.utime(path, (1, 1))
        path.chmod(0o600)
    assert source_digest(Build(other, args={"B": "2", "A": "1"})) == digest


@pytest.mark.parametrize(
    "change",
    [
        lambda context: (context / "src" / "data").write_text("2\n"),
        lambda context: (context / "src" / "data").rename(context / "src" / "renamed"),
        lambda context: (context / "src" / "run").chmod(0o644),
        lambda context: (context / "src" / "new").mkdir(),
        lambda context: (context / "Dockerfile").write_text("FROM scratch\n"),
        lambda context: (context / "kept.log").unlink(),
        lambda context: ((context / "src" / "link").unlink(), (context / "src" / "link").symlink_to("run")),
    ],
    ids=["content", "name", "run-bit", "folder", "Dockerfile", "excepted-from-ignored", "link"],
)
def test_every_change_that_can_reach_the_image_changes_the_digest(build: Build, change) -> None:
    """Content, name, whether it can be run, a new empty folder, the Dockerfile, where a link leads."""
    before = source_digest(build)
    change(build.context)
    assert source_digest(build) != before


def test_arguments_target_and_dockerfile_count(build: Build) -> None:
    """A build that is told something else is another image, however its words are divided."""
    (build.context / "Other").write_text((build.context / "Dockerfile").read_text())
    others = [
        Build(build.context, args={"A": "1"}),
        Build(build.context, args={"A": "1B", "": "2"}),
        Build(build.context, args=build.args, target="slim"),
        Build(build.context, dockerfile="Other", args=build.args),
        build,
    ]
    assert len({source_digest(other) for other in others}) == len(others)


def test_ignored_files_do_not_count(build: Build) -> None:
    """A log file or a cache beside the source changes nothing; an exception in .dockerignore holds."""
    before = source_digest(build)
    (build.context / "noise.log").write_text("noise")
    (build.context / "src" / "__pycache__").mkdir()
    (build.context / "src" / "__pycache__" / "x.pyc").write_text("noise")
    assert source_digest(build) == before
    assert "kept.log" in source_paths(build)


def test_the_dockerfile_goes_along_even_where_all_is_ignored(build: Build) -> None:
    """`*` in .dockerignore, the safest habit, leaves the Dockerfile to the builder."""
    (build.context / ".dockerignore").write_text("*\n!src\n")
    paths = source_paths(build)
    assert "Dockerfile" in paths
    assert "src/data" in paths
    assert "kept.log" not in paths


def test_the_archive_shows_no_owner_time_or_umask(build: Build) -> None:
    """What the builder gets is the same for every checkout, and readable for every user of the image."""
    (build.context / "src" / "data").chmod(0o600)
    with tarfile.open(fileobj=io.BytesIO(context_archive(build).read())) as archive:
        members = {member.name: member for member in archive.getmembers()}
    assert {(member.uid, member.gid, member.mtime) for member in members.values()} == {(0, 0, 0)}
    assert members["src/data"].mode == 0o644
    assert members["src/run"].mode == 0o755
    assert members["src/link"].linkname == "data"


def test_a_missing_dockerfile_is_told_with_its_place(tmp_path: Path) -> None:
    """Where, what is wrong, what to do: no traceback from the library."""
    with pytest.raises(ImageFailed) as caught:
        source_digest(Build(tmp_path / "nowhere"))
    assert str(tmp_path / "nowhere") in str(caught.value)
    assert "HINT" in str(caught.value)
