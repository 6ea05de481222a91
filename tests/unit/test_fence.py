"""The fence around a changing command: where the lock's mark is gone nothing of it is run, whatever its shape."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from pyinfra.api import StringCommand

from slipway.seam.errors import LockLost, TooLate
from slipway.seam.fence import REFUSED, fenced, holder_in, refuse_loss

SHAPES = [
    "touch {0}",
    "false; touch {0}",
    "touch {0} & wait",
    "sleep 0 & touch {0}",
    "# a comment\ntouch {0}",
    "if true; then touch {0}; fi",
    "true || true; {{ touch {0}; }}",
    "exec touch {0}",
    "(touch {0})",
    "cat > {0} <<E\nx\nE",
    "! touch {0}",
    "X=1 touch {0}",
]


AROUND: list[tuple[str | None, dict[str, str] | None]] = [("/", {"A": "b c"}), ("/nowhere", None), (None, {"A-B": "x"})]


@pytest.mark.parametrize(
    ("shape", "shell", "chdir", "env"),
    [
        *((shape, "sh", None, None) for shape in SHAPES),
        *((SHAPES[3], shell, chdir, env) for shell in ("sh", "bash") for chdir, env in AROUND),
    ],
)
def test_a_command_without_its_lock_is_not_begun(
    tmp_path: Path, shape: str, shell: str, chdir: str | None, env: dict[str, str] | None
) -> None:
    """No part of it runs, in the background, behind a failing `cd` or otherwise; its exit code says why."""
    touched = tmp_path / "touched"
    command = fenced(StringCommand(shape.format(touched)), "no-such-token", chdir, env)
    done = subprocess.run([shell, "-c", command.get_raw_value()], capture_output=True, text=True, check=False)
    assert (done.returncode, touched.exists()) == (REFUSED, False)
    assert done.stderr.splitlines()[0] == "slipway-fenced"


def test_a_command_whose_lease_is_over_is_not_begun(tmp_path: Path) -> None:
    """By the host's own clock, and told apart from a lock that is gone; before that it goes on."""
    touched = tmp_path / "touched"
    uptime = int(float(Path("/proc/uptime").read_text(encoding="ascii").split()[0]))

    def run(until: float) -> subprocess.CompletedProcess[str]:
        around = fenced(StringCommand(f"touch {touched}"), "a-token", None, None, until)
        # The lock's own part is another test's: here it is held.
        words = around.get_raw_value().partition(" ; ")[2]
        return subprocess.run(["sh", "-c", words], capture_output=True, text=True, check=False)

    done = run(uptime)
    assert (done.returncode, touched.exists()) == (REFUSED, False)
    with pytest.raises(TooLate, match="over before it could begin"):
        refuse_loss("web2", done.returncode, done.stderr.splitlines())
    assert (run(uptime + 100).returncode, touched.exists()) == (0, True)


def test_a_refusal_names_who_has_the_lock() -> None:
    """Whoever took it in the meantime is told by name; without anybody, what may have happened."""
    by = {"who": "ada@ops1", "since": "2026-01-02T03:04:05+00:00", "doing": "deploy lab", "pid": "42"}
    with pytest.raises(LockLost, match="web2: this run has lost its lock there: ada@ops1 has held the lock since"):
        refuse_loss("web2", REFUSED, ["slipway-fenced", f"4711 {json.dumps(by)}"])
    with pytest.raises(LockLost, match="nobody holds it now"):
        refuse_loss("web2", REFUSED, ["slipway-fenced"])


def test_an_exit_code_alone_is_no_refusal() -> None:
    """A program of the user's may end with the same code."""
    refuse_loss("web2", REFUSED, ["something else"])
    refuse_loss("web2", 1, ["slipway-fenced"])


@pytest.mark.parametrize("line", ["", "12", "12 {", "12 []", "x y z"])
def test_a_mark_that_cannot_be_read_names_nobody(line: str) -> None:
    """Half a mark, or something else in its place."""
    assert holder_in(line) == {}
