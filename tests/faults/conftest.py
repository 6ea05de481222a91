"""Hosts that several modules of faults share: booted once, given back at the end."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from slipway.lab.lab import Lab
from tests.faults.house import House
from tests.faults.one_host import HOST
from tests.faults.sweep import Sweep
from tests.labs import lab_of_tests


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """One host, bare when the first test comes to it: for hostile text and services in trouble."""
    lab = lab_of_tests("faults")
    lab.up([HOST])
    yield lab
    lab.down()


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A bare host, then one deploy of version A, watched by somebody who has no rights on the host."""
    lab = lab_of_tests("house")
    house = House(tmp_path_factory.mktemp("house"), lab)
    lab.up([house.host])
    house.build()
    house.first_deploy()
    yield house
    if not os.environ.get("SLIPWAY_KEEP_LAB"):  # for looking at it by hand after a failure
        lab.down()


@pytest.fixture(scope="session")
def sweep(house: House) -> Sweep:
    """The way from one version of the house to the other and back."""
    return Sweep(house)
