"""Hosts that the tests of several roles share: booted once, given back at the end."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from slipway.lab.lab import Lab
from tests.labs import lab_of_tests
from tests.roles.debians import HOSTS, Debians
from tests.roles.nginx_edges import EDGES, bring, start_peers


@pytest.fixture(scope="session")
def debians() -> Iterator[Debians]:
    """A Debian 13 and a Debian 12. SLIPWAY_TEST_LAB names a lab of one's own to write tests on; it is kept."""
    own = os.environ.get("SLIPWAY_TEST_LAB")
    lab = Lab(own) if own else lab_of_tests("test-roles")
    lab.up(HOSTS)
    yield Debians(lab)
    if not own:
        lab.down()


@pytest.fixture(scope="session")
def edges_lab() -> Iterator[Lab]:
    """Two bare hosts that became edges, and their peers. SLIPWAY_TEST_EDGES names a lab of one's own; it is kept."""
    own = os.environ.get("SLIPWAY_TEST_EDGES")
    lab = Lab(own, say=print) if own else lab_of_tests("nginx-role", say=print)
    lab.up(EDGES)
    outcomes = bring(lab, EDGES)
    assert {name: outcome.error for name, outcome in outcomes.items()} == dict.fromkeys(EDGES, "")
    for edge in EDGES:
        start_peers(lab, edge)
    yield lab
    if not own:
        lab.down()
