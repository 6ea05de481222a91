"""The demo stack on seven container hosts, deployed once for all tests of this directory."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.labs import lab_of_tests
from tests.stack.project import ROOT, DemoProject, Stack, deployed

NAME = "test-stack"


@pytest.fixture(scope="package")
def stack() -> Iterator[Stack]:
    """Seven bare hosts, then one deploy."""
    lab = lab_of_tests(NAME)
    with deployed(lab, DemoProject(ROOT, lab)) as first_deploy:
        yield Stack(ROOT, lab, first_deploy)
