"""Each protection is taken out of a copy of the project, and the test that watches over it must then fail."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import SEED, WHOLE
from tests.faults.mutations import MUTATIONS, Mutation
from tests.project import ROOT

LONGEST_SECONDS = 600
"""Of one test, its hosts' boot included."""

AT_ONCE = 2
"""Mutations of a sampled run; the draw is repeated by SLIPWAY_TEST_SEED. `--whole` takes each, on hosts too."""

FAILED = 1
"""pytest's exit code where tests ran and one failed; a file that cannot be read or a missing test ends otherwise."""


def sampled() -> list[Mutation]:
    if os.environ.get(WHOLE):
        return list(MUTATIONS)
    quick = [each for each in MUTATIONS if not each.needs_hosts]
    return random.Random(os.environ.get(SEED, "0")).sample(quick, AT_ONCE)  # noqa: S311 - a draw of lots, no secret


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The project without what was made of it."""
    path = tmp_path_factory.mktemp("copy") / "project"
    made = shutil.ignore_patterns(
        ".git", ".venv", "*.egg-info", "__pycache__", ".mypy_cache", ".ruff_cache", ".hypothesis"
    )
    shutil.copytree(ROOT, path, ignore=made, symlinks=True)
    yield path
    shutil.rmtree(path)


def run(path: Path, test: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": f"{path / 'src'}:{path}", "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--rootdir", str(path), test],
        cwd=path, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LONGEST_SECONDS,
        check=False,
    )  # fmt: skip


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda each: each.protects)
def test_the_protection_is_where_the_table_says(mutation: Mutation) -> None:
    """Its line stands in the source, once; its test is there."""
    assert (ROOT / mutation.file).read_text(encoding="utf-8").count(mutation.snippet) == 1
    file, _, name = mutation.test.partition("::")
    assert f"def {name.partition('[')[0]}(" in (ROOT / file).read_text(encoding="utf-8")


@pytest.mark.tools
@pytest.mark.parametrize("mutation", sampled(), ids=lambda each: each.protects)
def test_without_the_protection_its_test_fails(copy: Path, mutation: Mutation) -> None:
    """As it is the test passes; with the protection taken out it fails."""
    source = copy / mutation.file
    text = source.read_text(encoding="utf-8")
    as_it_is = run(copy, mutation.test)
    assert as_it_is.returncode == 0, as_it_is.stdout
    source.write_text(text.replace(mutation.snippet, mutation.without), encoding="utf-8")
    try:
        without = run(copy, mutation.test)
    finally:
        source.write_text(text, encoding="utf-8")
    assert without.returncode == FAILED, f"{mutation.protects}: nobody notices\n{without.stdout}"
