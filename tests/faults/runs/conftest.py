"""Three bare hosts for the faults of runs: booted once, given back when these tests are done."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.runs.hosts import HOSTS, Hosts
from tests.labs import lab_of_tests
from tests.project import Project, new_project


@pytest.fixture(scope="package")
def hosts() -> Iterator[Hosts]:
    """worker1 and worker3 are Debian 13, worker2 is Debian 12."""
    lab = lab_of_tests("test-runs")
    lab.up(HOSTS)
    yield Hosts(lab)
    lab.down()


@pytest.fixture
def project(tmp_path: Path, hosts: Hosts) -> Project:
    """An empty project over the three; nothing of an earlier test is on them."""
    hosts.clear()
    return new_project(tmp_path, hosts.lab, *HOSTS)
