"""Until when a lease holds, and that a step is over before anybody else's may begin."""

from __future__ import annotations

import subprocess
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.pull.term import ROUNDING, Term, boot_seconds, seconds_for

SECONDS = st.floats(0, 3600)


@given(asked_at=SECONDS, step=SECONDS, margin=st.floats(0.1, 60), late=st.floats(0, 1))
def test_a_step_that_begins_in_time_ends_before_the_lease(
    asked_at: float, step: float, margin: float, late: float
) -> None:
    """Redis began to count no earlier than it was asked, and whole seconds are compared on the host."""
    term = Term(asked_at, seconds_for(step, margin))
    runs_out = asked_at + term.seconds
    begins = int(term.begun_by(step)) - 1 + late  # the last whole second that is let through, at its very end
    assert begins + step <= runs_out
    assert term.begun_by(step) - asked_at == pytest.approx(margin)


def test_a_step_longer_than_the_lease_is_never_begun() -> None:
    """Its time is over before the lease was asked for."""
    assert Term(100, 20).begun_by(30) < 100
    assert Term(100, 20).ends == 120 - ROUNDING


def test_its_clock_is_the_one_that_the_host_asks() -> None:
    """/proc/uptime, to the hundredth."""
    said = subprocess.run(["cat", "/proc/uptime"], capture_output=True, text=True, check=True).stdout
    assert float(said.split()[0]) == pytest.approx(boot_seconds(), abs=0.5)
    before = boot_seconds()
    time.sleep(0.01)
    assert boot_seconds() > before
