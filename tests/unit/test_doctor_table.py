"""What `slipway doctor` shows: a table that fits 80 columns, and JSON that programs can rely on."""

from __future__ import annotations

import io
import json
from dataclasses import asdict

from slipway.cli.doctor import show
from slipway.preflight.findings import CHECKS, ERROR, FINE, SEVERITIES, WARNING, Finding, worst_first
from slipway.terminal import Terminal

HOSTS = ["worker1", "worker2", "db1.production.example.internal"]
FOUND = [
    Finding("worker1", "disk", FINE, "48.8 GiB free on /"),
    Finding("worker1", "clock", WARNING, "its clock is 4 min behind the controller", "see `timedatectl` there"),
    Finding("worker2", "clock", WARNING, "its clock is 4 min behind the controller", "see `timedatectl` there"),
    Finding(HOSTS[2], "port", ERROR, "PostgreSQL needs 10.0.0.9:5432, taken by [bold]ev\x1bil", "stop it there"),
]


def shown(found: list[Finding]) -> list[str]:
    out = io.StringIO()
    show(worst_first(found, HOSTS), HOSTS, Terminal(file=out, width=80))
    return out.getvalue().splitlines()


def test_errors_come_first_and_what_to_do_stands_below() -> None:
    """A person reads from the top; nothing is wider than the terminal, nothing a host says is markup."""
    lines = shown(FOUND)
    assert max(map(len, lines)) <= 80
    text = " ".join(" ".join(lines).replace("│", " ").split())
    assert text.index("PostgreSQL needs") < text.index("stop it there") < text.index("4 min behind")
    assert "[bold]ev" in text and "\x1b" not in text
    assert "worker1, worker2" in text and text.count("4 min behind") == 1


def test_what_is_well_is_one_line_for_a_host_and_the_end_says_how_many() -> None:
    """No row of a table says that nothing is wrong."""
    assert shown(FOUND)[-2:] == ["worker1 ok: disk (48.8 GiB free on /)", "3 hosts: 1 error, 2 warnings."]
    assert shown([]) == ["3 hosts: 0 errors, 0 warnings."]


def test_the_json_of_a_finding_has_these_keys_and_words() -> None:
    """Programs read it: what is in it may grow, what is there stays."""
    assert list(json.loads(json.dumps(asdict(FOUND[0])))) == ["host", "check", "severity", "what", "do"]
    assert SEVERITIES == ("error", "warning", "ok")
    assert {"ssh", "sudo", "disk", "port", "mirror", "certificate"} <= set(CHECKS)
