"""The swap of a file, its script alone on this machine: what it does when it is cut, refused, or killed half way."""

from __future__ import annotations

import getpass
import grp
import hashlib
import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from slipway.ops.files import _PUT

OLD, NEW = b"old\n", b"new " * 10_000
WAIT_SECONDS = 20
"""For the script to begin; it takes milliseconds, a busy machine more."""


@dataclass
class Swap:
    """A directory with a file that is to be swapped, and one for what is owed."""

    here: Path

    @property
    def file(self) -> Path:
        return self.here / "etc/file"

    @property
    def owed(self) -> list[str]:
        return sorted(path.name for path in (self.here / "owed").glob("*"))

    def words(self, check: Sequence[str] = (), owes: str = "restart:thing") -> list[str]:
        group = grp.getgrgid(os.getgid()).gr_name
        return ["sh", "-c", _PUT, "slipway", str(self.file), "640", getpass.getuser(), group, owes,
                str(self.here / "owed"), *check]  # fmt: skip

    def run(self, content: bytes = NEW, meant: bytes = NEW, check: Sequence[str] = (), path: str = "") -> int:
        """The exit code. `content` arrives, `meant` was sent."""
        told = hashlib.sha256(meant).hexdigest().encode() + b"\n" + content
        environment = {**os.environ, "PATH": f"{path}:{os.environ['PATH']}" if path else os.environ["PATH"]}
        return subprocess.run(
            self.words(check), input=told, env=environment, capture_output=True, timeout=30, check=False
        ).returncode

    def left(self) -> list[Path]:
        """Candidates that lie around."""
        return list(self.file.parent.glob(".slipway.*"))

    def instead(self, program: str, text: str) -> str:
        """A directory for PATH in which this program does something else."""
        folder = self.here / "bin"
        folder.mkdir(exist_ok=True)
        (folder / program).write_text(f"#!/bin/sh\n{text}\n")
        (folder / program).chmod(0o755)
        return str(folder)


@pytest.fixture
def swap(tmp_path: Path) -> Swap:
    made = Swap(tmp_path)
    made.file.parent.mkdir()
    made.file.write_bytes(OLD)
    return made


def test_a_file_is_swapped_with_its_mode(swap: Swap) -> None:
    """The new content, its mode, what it owes, and no candidate left."""
    assert swap.run() == 0
    assert swap.file.read_bytes() == NEW
    assert oct(swap.file.stat().st_mode & 0o7777) == "0o640"
    assert swap.owed == ["restart:thing"] and swap.left() == []


def test_an_upload_that_was_cut_short_changes_nothing(swap: Swap) -> None:
    """Half of the content, or all of it with a byte turned: the old file stays, nothing is owed."""
    assert swap.run(NEW[: len(NEW) // 2]) == 74
    assert swap.run(b"N" + NEW[1:]) == 74
    assert swap.file.read_bytes() == OLD and swap.owed == [] and swap.left() == []


def test_a_file_that_its_program_refuses_changes_nothing(swap: Swap) -> None:
    """Its check says no: the old file stays, nothing is owed."""
    assert swap.run(check=["grep", "-q", "something else", "{candidate}"]) == 65
    assert swap.file.read_bytes() == OLD and swap.owed == [] and swap.left() == []


def test_whoever_reads_has_the_old_file_or_the_new_one(swap: Swap) -> None:
    """It is another file with the same name afterwards: who had the old one open goes on reading that."""
    with swap.file.open("rb") as reader:
        assert swap.run() == 0
        assert reader.read() == OLD


def test_what_is_owed_is_noted_before_the_rename(swap: Swap) -> None:
    """Killed at the very moment of the rename, the next run still knows of the restart."""
    assert swap.run(path=swap.instead("mv", "exit 137")) != 0
    assert swap.file.read_bytes() == OLD
    assert swap.owed == ["restart:thing"]


def test_nobody_reads_a_secret_while_it_arrives(swap: Swap) -> None:
    """From its first byte on the candidate is its owner's alone, whatever mode it is to have."""
    with subprocess.Popen(swap.words(), stdin=subprocess.PIPE) as script:
        assert script.stdin is not None
        script.stdin.write(hashlib.sha256(NEW).hexdigest().encode() + b"\n" + NEW[:100])
        script.stdin.flush()
        deadline = time.monotonic() + WAIT_SECONDS
        while not swap.left():
            assert time.monotonic() < deadline
            time.sleep(0.01)  # until the script has made it
        assert [oct(path.stat().st_mode & 0o7777) for path in swap.left()] == ["0o600"]
        script.stdin.write(NEW[100:])
        script.stdin.close()
        assert script.wait(WAIT_SECONDS) == 0
    assert swap.file.read_bytes() == NEW
