"""How the test suite is parted: what shares hosts may not run side by side."""

from __future__ import annotations

import re

from slipway.cli.test import APART, HOUSE, NEVER_FAST
from slipway.paths import SOURCE_ROOT


def test_what_shares_the_house_stays_in_one_process() -> None:
    """Whoever imports it is named: two processes would boot the same host under each other's feet."""
    tests = (SOURCE_ROOT / "tests").rglob("test_*.py")
    uses = re.compile(r"^from tests\.faults\.(house|sweep) import", re.MULTILINE)
    users = {str(path.relative_to(SOURCE_ROOT)) for path in tests if uses.search(path.read_text(encoding="utf-8"))}
    assert users == set(HOUSE)


def test_what_is_named_is_there() -> None:
    assert [path for path in (*APART, *NEVER_FAST) if not (SOURCE_ROOT / path).exists()] == []
