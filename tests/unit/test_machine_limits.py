"""The kernel's limits that container hosts run into are part of what a machine is made ready for."""

from __future__ import annotations

from pathlib import Path

import pytest

from slipway import machine


@pytest.fixture
def limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(machine, "INOTIFY", tmp_path / "max_user_instances")
    monkeypatch.setattr(machine, "_engine_answers", lambda: True)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    return tmp_path / "max_user_instances"


def test_a_low_limit_is_a_need_and_is_raised(limit: Path) -> None:
    limit.write_text("128\n")
    (need,) = machine.missing()
    assert need.what == "allow 512 inotify instances until the next boot"
    need.do()
    assert limit.read_text() == "512\n"
    assert machine.missing() == []


@pytest.mark.parametrize("value", ["512\n", "65536\n", None, "unlimited"])
def test_a_limit_that_suffices_or_is_unknown_is_left_alone(limit: Path, value: str | None) -> None:
    if value is not None:
        limit.write_text(value)
    assert machine.missing() == []


def test_a_machine_that_does_not_let_it_be_changed_goes_on(limit: Path, capfd: pytest.CaptureFixture[str]) -> None:
    limit.write_text("128\n")
    (need,) = machine.missing()
    limit.unlink()
    limit.mkdir()
    need.do()
    assert "it stays as it is" in capfd.readouterr().err
