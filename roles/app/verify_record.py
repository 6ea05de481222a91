"""What must be true of a host's record after a deploy."""

from __future__ import annotations

import json
from typing import Any

from roles.app.data import App
from slipway.context import Context
from slipway.facts.releases import RELEASES


def check_record_names_the_release(host: Any, data: App, ctx: Context) -> None:
    """The current record is this release's, and root's alone to read; no more than are to be kept are there."""
    if ctx.release is None or ctx.entry is None:
        return
    current = host.file(f"{RELEASES}/current")
    record = json.loads(current.content_string)
    assert (record["id"], record["stack"]) == (ctx.entry.id, ctx.release.stack)
    assert record["release"]["id"] == ctx.release.id
    assert host.file(f"{RELEASES}/{record['id']}.json").mode == 0o600
    kept = host.check_output("grep --files-with-matches '\"when\"' %s/*.json | wc -l", RELEASES)
    assert int(kept) <= data.keep_releases
