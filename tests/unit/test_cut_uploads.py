"""What a controller sends is taken whole or not at all: one that dies on the way leaves the file that there was."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from slipway.engine import journal
from slipway.ops import releases

OLD, NEW = b'{"id": "one"}\n', b'{"id": "two", "when": "today"}\n'
SCRIPTS = {
    "journal": (journal._WRITE, "journal.json", ("{dir}/journal.json",)),
    "staged record": (releases._STAGE, "one.json", ("{dir}", "one", "line")),
    "record": (releases._MAKE_CURRENT, "one.json", ("{dir}", "one", "line", "{dir}/secrets", "demo")),
}


@pytest.mark.parametrize("kind", SCRIPTS)
@pytest.mark.parametrize("cut", [0, 1, 12, len(NEW) - 1])
def test_what_was_cut_short_leaves_the_old_file(kind: str, cut: int, tmp_path: Path) -> None:
    """However far it came; nothing half written stays beside it."""
    _, name, _ = SCRIPTS[kind]
    (tmp_path / name).write_bytes(OLD)
    done = sent(kind, NEW[:cut], tmp_path)
    assert (done.returncode, (tmp_path / name).read_bytes()) == (74, OLD)
    assert "cut short" in done.stderr.decode()
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("kind", SCRIPTS)
def test_what_is_whole_takes_its_place(kind: str, tmp_path: Path) -> None:
    """All of it, and nothing beside it that is half."""
    _, name, _ = SCRIPTS[kind]
    (tmp_path / name).write_bytes(OLD)
    done = sent(kind, NEW, tmp_path)
    assert (done.returncode, (tmp_path / name).read_bytes()) == (0, NEW), done.stderr
    assert not list(tmp_path.glob("*.new")) + list(tmp_path.glob(".*.new"))


def sent(kind: str, data: bytes, place: Path) -> subprocess.CompletedProcess[bytes]:
    """The script, as a host runs it, with this much of its input."""
    text, _, words = SCRIPTS[kind]
    argv = ["sh", "-c", text, "slipway", *(word.format(dir=place) for word in words)]
    return subprocess.run(argv, input=data, capture_output=True, timeout=30, check=False)
