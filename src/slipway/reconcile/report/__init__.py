"""A reconcile as a page to look at and as JSON, beside those before it."""

from slipway.reconcile.report.history import Line, history
from slipway.reconcile.report.page import page
from slipway.reconcile.report.runs import keep, last_seen

__all__ = ["Line", "history", "keep", "last_seen", "page"]
