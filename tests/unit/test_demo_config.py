"""The demo application's configuration and its pure parts, without a container."""

from __future__ import annotations

import json
import logging
import os
import time
from pathlib import Path

import pytest

from stacks.demo.src.demo import heartbeat
from stacks.demo.src.demo.config import BadSettings, Settings
from stacks.demo.src.demo.kinds import BadJob, JobFailed, check, run
from stacks.demo.src.demo.logs import JsonLines


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """What a service is given, with its secrets in files."""
    for name in ("postgres", "redis", "session"):
        (tmp_path / name).write_text(f"the {name} secret\n")
    return {
        "DB_HOST": "db",
        "DB_NAME": "demo",
        "DB_USER": "demo",
        "DB_PASSWORD_FILE": str(tmp_path / "postgres"),
        "REDIS_HOST": "cache",
        "REDIS_PASSWORD_FILE": str(tmp_path / "redis"),
        "SESSION_KEY_FILE": str(tmp_path / "session"),
        "SLIPWAY_RELEASE": "r1",
        "SLIPWAY_HOST": "worker1",
    }


def test_settings_come_from_the_environment_and_from_secret_files(environ: dict[str, str]) -> None:
    """Names and defaults as documented; the newline at a secret's end does not belong to it."""
    settings = Settings.from_environment(environ, "api")
    assert (settings.db_host, settings.db_port, settings.redis_port) == ("db", 5432, 6379)
    assert (settings.release, settings.host, settings.log_level) == ("r1", "worker1", "INFO")
    assert settings.db_password == "the postgres secret"
    assert settings.session_key == b"the session secret"


def test_settings_do_not_show_their_secrets(environ: dict[str, str]) -> None:
    """Printed or logged by mistake, they tell no password."""
    assert "secret" not in repr(Settings.from_environment(environ))


def test_every_mistake_is_told_at_once(environ: dict[str, str], tmp_path: Path) -> None:
    """One start tells all that is wrong: missing, not a number, out of range, unreadable, empty."""
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    wrong = {
        "DB_HOST": "",
        "DB_PORT": "0",
        "REDIS_PORT": "many",
        "LOG_LEVEL": "LOUD",
        "DB_PASSWORD_FILE": str(tmp_path / "none"),
        "REDIS_PASSWORD_FILE": str(tmp_path / "empty"),
        "SESSION_KEY_FILE": str(tmp_path / "binary"),
    }
    with pytest.raises(BadSettings) as caught:
        Settings.from_environment(environ | wrong)
    lines = str(caught.value).splitlines()
    assert sorted(line.split()[0].rstrip(":") for line in lines) == sorted(wrong)


def test_a_service_is_asked_only_for_what_it_needs(environ: dict[str, str]) -> None:
    """Migrations run without Redis and without the session key."""
    only = {name: value for name, value in environ.items() if name.startswith(("DB_", "SLIPWAY_"))}
    assert Settings.from_environment(only, "migrate", {"database"}).redis_host == ""
    with pytest.raises(BadSettings, match="REDIS_HOST is not set"):
        Settings.from_environment(only, "worker", {"database", "redis"})


def test_a_log_line_is_one_json_object(environ: dict[str, str]) -> None:
    """Time, level, message, who wrote it and extras; a line break or an exception stays within the line."""
    record = logging.makeLogRecord(
        {"levelname": "ERROR", "msg": "two\nlines %s", "args": ("x",), "duration_ms": 1.5, "object": Path("/x")}
    )
    text = JsonLines(Settings.from_environment(environ, "api")).format(record)
    line = json.loads(text)
    assert "\n" not in text
    assert (line["level"], line["message"], line["duration_ms"]) == ("error", "two\nlines x", 1.5)
    assert (line["service"], line["release"], line["host"], line["object"]) == ("api", "r1", "worker1", "/x")
    assert line["timestamp"].endswith("+00:00")


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        ("summ", {}),
        (None, {}),
        (["sum"], {}),
        ("sum", []),
        ("sum", {}),
        ("sum", {"numbers": [1, "2"]}),
        ("sum", {"numbers": [True]}),
        ("sum", {"numbers": [float("inf")]}),
        ("sum", {"numbers": [1] * 1001}),
        ("sleep", {"seconds": -1}),
        ("sleep", {"seconds": 31}),
        ("sleep", {"seconds": "1"}),
    ],
)
def test_a_job_that_cannot_run_is_refused_before_it_is_queued(kind: object, payload: object) -> None:
    """Unknown kinds and payloads of the wrong form are told, not run."""
    with pytest.raises(BadJob):
        check(kind, payload)


def test_jobs_do_what_they_say() -> None:
    """sum adds, sleep sleeps, tick tells its number, fail fails with its reason."""
    import asyncio

    assert asyncio.run(run("sum", {"numbers": [1, 2.5]})) == {"sum": 3.5}
    assert asyncio.run(run("sleep", {"seconds": 0})) == {"slept": 0}
    assert asyncio.run(run("tick", {"tick": 7})) == {"tick": 7}
    with pytest.raises(JobFailed, match="no luck"):
        asyncio.run(run("fail", {"reason": "no luck"}))


def test_a_process_is_healthy_while_its_heart_beats(tmp_path: Path) -> None:
    """No file: not started up. A fresh one: alive. An old one: its event loop hangs."""
    file = tmp_path / "heartbeat"
    assert heartbeat.complaint("worker", file) == "has not started up yet"
    file.touch()
    assert heartbeat.complaint("worker", file) == ""
    old = time.time() - heartbeat.STALE_SECONDS - 5
    os.utime(file, (old, old))
    assert "last sign of life 20 s ago" in heartbeat.complaint("worker", file)


def test_an_http_service_must_answer_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A beating heart behind a closed door is not healthy: the api's health includes its own /health."""
    file = tmp_path / "heartbeat"
    file.touch()
    monkeypatch.setitem(heartbeat.PORTS, "api", 1)
    assert "GET /health on port 1" in heartbeat.complaint("api", file)
