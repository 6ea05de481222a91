"""What must be true of a host's record after a deploy."""

from __future__ import annotations

import json
from typing import Any

from roles.app.data import App
from slipway.context import Context
from slipway.facts.releases import RELEASES


def check_record_names_the_release(host: Any, data: App, ctx: Context) -> None:
    """The current record is this release's; no more than are to be kept are there."""
    if ctx.release is None:
        return
    record = json.loads(host.file(f"{RELEASES}/current").content_string)
    assert (record["id"], record["stack"]) == (ctx.release.id, ctx.release.stack)  # noqa: S101 - a check is an assertion
    kept = host.check_output("find %s -name '*.json' -type f | wc -l", RELEASES)
    assert int(kept) <= data.keep_releases  # noqa: S101 - a check is an assertion
