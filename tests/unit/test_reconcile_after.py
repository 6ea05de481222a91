"""What follows a reconcile is written whole, told where it cannot be, and fails nothing."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

from slipway.reconcile.settings import Reconcile
from slipway.reconcile.watched.after import after, problems_with
from slipway.secrets import Secrets
from tests.reconcile_sample import BEGAN, found, yielded


def secrets(**values: str) -> Secrets:
    return Secrets("test", values.get, tuple(values))


def test_addresses_that_are_missing_are_told_before_anything_is_touched() -> None:
    """By the names of their secrets, with who needs them."""
    settings = Reconcile(notify=["hook", "chat"], heartbeat="pulse")
    found_ = problems_with(settings, secrets(hook="https://example.com/x"))
    assert [problem.what for problem in found_] == ["'chat' is missing", "'pulse' is missing"]
    assert "reconcile.heartbeat" in found_[1].hint


def test_what_cannot_be_written_fails_nothing(tmp_path: Path) -> None:
    """A directory that is not there, and a file where a directory belongs, are told."""
    (tmp_path / "taken").write_text("")
    settings = Reconcile(reports=str(tmp_path / "taken"), metrics=str(tmp_path / "nowhere"))
    done = after(found(), settings, secrets())
    assert done.page is None
    assert done.failures == [
        "the report could not be written: Not a directory",
        f"metrics could not be written to {tmp_path / 'nowhere'}: No such file or directory",
    ]


def test_metrics_hold_on_while_somebody_else_is_at_work(tmp_path: Path) -> None:
    """What was seen last stays; the file is whole, for node_exporter's user to read, and nothing lies beside it."""
    metrics = tmp_path / "textfiles"
    metrics.mkdir()
    settings = Reconcile(reports=str(tmp_path), metrics=str(metrics), notify=[])
    after(found(), settings, secrets())
    after(yielded(BEGAN + timedelta(minutes=15)), settings, secrets())
    [file] = metrics.iterdir()
    assert (file.name, file.stat().st_mode & 0o777) == ("slipway_reconcile_production.prom", 0o644)
    text = file.read_text()
    for line in (
        'slipway_reconcile_outcome{inventory="production",outcome="yielded"} 1.0',
        'slipway_reconcile_differences{host="edge1",inventory="production",kind="drift"} 1.0',
        'slipway_reconcile_differences{host="edge2",inventory="production",kind="drift"} 0.0',
        'slipway_reconcile_held_differences{host="edge2",inventory="production",kind="drift"} 1.0',
        'slipway_reconcile_host_seen{host="worker3",inventory="production"} 0.0',
        'slipway_reconcile_last_success_timestamp_seconds{inventory="production"} 0.0',
        'slipway_reconcile_holds{inventory="production"} 1.0',
    ):
        assert f"{line}\n" in text
    assert 'differences{host="worker3"' not in text


def test_help_does_not_load_what_sends_or_writes_metrics() -> None:
    """Both take half a second: only who uses them pays for it."""
    slow = "{'apprise', 'prometheus_client'}"
    program = f"import sys, slipway.cli, slipway.reconcile.watched.after\nprint({{*sys.modules}} & {slow})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
