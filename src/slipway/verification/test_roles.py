"""What `slipway verify` runs: parametrized by the plugin with every check of the run."""

from __future__ import annotations

from typing import Any

from slipway.verification.checks import Check


def test_role(check: Check, backend: Any) -> None:
    """The host is as the role promises."""
    check.function(backend, check.data, check.ctx)
