"""Hosts that the tests of several roles share: booted once, given back at the end."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from slipway.lab.lab import Lab
from tests.roles.debians import HOSTS, Debians


@pytest.fixture(scope="session")
def debians() -> Iterator[Debians]:
    """A Debian 13 and a Debian 12. SLIPWAY_TEST_LAB names a lab of one's own to write tests on; it is kept."""
    own = os.environ.get("SLIPWAY_TEST_LAB")
    lab = Lab(own or "test-roles")
    lab.up(HOSTS)
    yield Debians(lab)
    if not own:
        lab.down()
