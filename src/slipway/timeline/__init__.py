"""The record of a run as a picture: what each host was at and for how long, as JSON and as a page to look at."""

from __future__ import annotations

from slipway.timeline.building import picture_of
from slipway.timeline.listener import Timeline, details_at_start, run_end
from slipway.timeline.page import page
from slipway.timeline.picture import Picture, as_json
from slipway.timeline.reports import reports_of, write

__all__ = [
    "Picture",
    "Timeline",
    "as_json",
    "details_at_start",
    "page",
    "picture_of",
    "reports_of",
    "run_end",
    "write",
]
