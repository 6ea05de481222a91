"""Hosts that several test modules share: booted once, given back at the end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from slipway.lab.lab import Lab
from tests.labs import lab_of_tests
from tests.project import Project, new_project

BARE = ("worker1", "worker2", "worker3")


@pytest.fixture(scope="session")
def bare_lab() -> Iterator[Lab]:
    """Three bare hosts; worker2 is a Debian 12."""
    lab = lab_of_tests("test-bare")
    lab.up(BARE)
    yield lab
    lab.down()


@pytest.fixture
def project(tmp_path: Path, bare_lab: Lab) -> Project:
    """An empty project over the three bare hosts."""
    return new_project(tmp_path, bare_lab, *BARE)
