"""Hosts that the tests of several roles share: booted once, given back at the end."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from slipway.lab.lab import Lab
from tests.roles.debians import HOSTS, Debians


@pytest.fixture(scope="session")
def debians() -> Iterator[Debians]:
    """A Debian 13 and a Debian 12. SLIPWAY_TEST_KEEP=1 leaves them up, for whoever writes a test."""
    lab = Lab("test-roles")
    lab.up(HOSTS)
    yield Debians(lab)
    if not os.environ.get("SLIPWAY_TEST_KEEP"):
        lab.down()
