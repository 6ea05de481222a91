"""What figures are taken with: the proxy that delays, and the watch over a process and its children."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from slipway.bench import measure
from slipway.bench.delay import delayed
from slipway.bench.measure import descendants, measured

pytestmark = pytest.mark.tools

ROUND_TRIP_MS = 60
LATE = 0.25
"""Seconds by which a busy machine may be late; still far from what a mistaken direction or a window would cost."""


@pytest.fixture
def echo() -> Iterator[int]:
    """A port that sends back what it gets, one connection after the other."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=answer, args=(server,), daemon=True).start()
        yield server.getsockname()[1]


def answer(server: socket.socket) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return  # the test is over
        threading.Thread(target=send_back, args=(connection,), daemon=True).start()


def send_back(connection: socket.socket) -> None:
    with connection:
        while data := connection.recv(1 << 16):
            connection.sendall(data)


def read_all(connection: socket.socket, count: int) -> bytes:
    found = bytearray()
    while len(found) < count and (data := connection.recv(1 << 16)):
        found += data
    return bytes(found)


def test_an_answer_takes_the_round_trip_and_the_first_one_a_second_for_the_handshake(echo: int) -> None:
    """Each direction waits for half of it; two connections at a time do not wait for one another."""
    trip = ROUND_TRIP_MS / 1000
    with delayed(["127.0.0.1"], ROUND_TRIP_MS, echo) as (port,), socket.create_connection(("127.0.0.1", port)) as near:
        took = []
        for _ in range(3):
            began = time.monotonic()
            near.sendall(b"ping")
            assert read_all(near, 4) == b"ping"
            took.append(time.monotonic() - began)
    assert 2 * trip <= took[0] < 2 * trip + LATE
    assert all(trip <= each < trip + LATE for each in took[1:])


def test_a_long_way_is_no_narrow_one(echo: int) -> None:
    """Sixteen megabytes there and back arrive whole, in a time that no window of 64 kB per round trip would allow."""
    content = os.urandom(1 << 20) * 16
    with delayed(["127.0.0.1"], ROUND_TRIP_MS, echo) as (port,), socket.create_connection(("127.0.0.1", port)) as near:
        began = time.monotonic()
        threading.Thread(target=near.sendall, args=(content,), daemon=True).start()
        assert read_all(near, len(content)) == content
        took = time.monotonic() - began
    assert took < len(content) / 65536 * ROUND_TRIP_MS / 1000 / 2


def test_each_address_has_a_port_and_a_dead_one_is_closed(echo: int) -> None:
    """Nobody there: the connection ends, as it would without the proxy; it does not hang."""
    with delayed(["127.0.0.1", "127.0.0.2"], 1, echo) as ports:
        assert len(set(ports)) == 2
        with socket.create_connection(("127.0.0.1", ports[1]), timeout=10) as nobody:
            assert nobody.recv(1) == b""


BUSY = "import time\nuntil = time.process_time() + 0.3\nwhile time.process_time() < until: pass\n"


def test_what_a_command_leaves_behind_is_counted_and_ended(tmp_path: Path) -> None:
    """A child that goes into the background, as a shared SSH connection does, belongs to its run."""
    (tmp_path / "left.py").write_text(f"{BUSY}import pathlib\npathlib.Path('busy').touch()\ntime.sleep(60)\n")
    words = ["sh", "-c", f"setsid {sys.executable} left.py & until [ -e busy ]; do sleep 0.05; done; exit 3"]
    taken = measured(words, tmp_path, tmp_path / "log", dict(os.environ))
    assert (taken.code, 0.3 <= taken.cpu < 3, taken.wall < 30) == (3, True, True), taken
    assert descendants(os.getpid()) == []


def test_memory_is_that_of_all_processes_together(tmp_path: Path) -> None:
    """Two that hold sixty MiB each are a hundred and twenty."""
    (tmp_path / "large.py").write_text("import time\nheld = bytearray(60 << 20)\ntime.sleep(1)\n")
    words = ["sh", "-c", f"{sys.executable} large.py & {sys.executable} large.py; wait"]
    taken = measured(words, tmp_path, tmp_path / "log", dict(os.environ))
    assert 120 <= taken.peak_mib < 220, taken


def test_a_run_has_the_environment_and_the_input_that_it_is_given_and_no_other(tmp_path: Path) -> None:
    """What the bench itself runs in (its packages) is not for the contestants."""
    words = ["/bin/sh", "-c", "cat; echo ${PYTHONPATH-none}; pwd"]
    measured(words, tmp_path, tmp_path / "log", {"PATH": os.environ["PATH"]}, stdin="typed\n")
    assert (tmp_path / "log").read_text().splitlines() == ["typed", "none", str(tmp_path)]


def test_a_process_that_ends_while_it_is_looked_at_ends_no_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its directory is gone before it is listed, or while it is: there is nothing below it any more."""
    assert measure._listed(2**22 + 1) == []

    def gone(path: Path, pattern: str) -> Iterator[Path]:
        yield path / "1/children"
        raise ProcessLookupError

    monkeypatch.setattr(Path, "glob", gone)
    assert measure._below(os.getpid()) == []
