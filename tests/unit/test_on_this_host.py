"""The connection to the host that we run on: the same promises as over SSH, with processes for channels."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from slipway.facts.files import script
from slipway.seam import connection as seam_connection
from slipway.seam.connection import Connection
from slipway.seam.errors import ConnectionLost
from tests.this_host import connected_here


@pytest.fixture
def here() -> Iterator[Connection]:
    with connected_here() as connection:
        yield connection


def run(here: Connection, text: str, *words: str, **arguments: Any) -> tuple[bool, list[str], list[str]]:
    ok, output = here._run(script(text, *words), **arguments)
    return ok, output.stdout_lines, output.stderr_lines


def test_output_exit_code_and_input_are_the_commands_own(here: Connection) -> None:
    """Both streams apart, bytes as they are, and a code that is allowed is no failure."""
    assert run(here, 'cat; echo "$1"; echo oops >&2; exit 3', "a 'b'", _stdin=b"in\n") == (
        False,
        ["in", "a 'b'"],
        ["oops"],
    )
    assert run(here, "exit 3", _success_exit_codes=[0, 3])[0]
    assert run(here, "kill -9 $$")[0] is False


def test_nothing_of_our_environment_reaches_a_command(here: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where keys and the checkout lie is no command's business; files come out as after a log-in."""
    monkeypatch.setenv("SLIPWAY_AGE_KEY_FILE", "/etc/key")
    monkeypatch.setenv("GIT_DIR", "/srv/git")
    assert run(here, 'echo "$SLIPWAY_AGE_KEY_FILE$GIT_DIR"; umask; pwd')[1] == ["", "0022", "/"]


def test_a_time_limit_holds(here: Connection) -> None:
    """A command that hangs is ended, and the reason said."""
    began = time.monotonic()
    ok, _, said = run(here, "sleep 60", _timeout=1)
    assert (ok, time.monotonic() - began < 10) == (False, True)
    assert said[-1].startswith("timed out after 1 s")


def test_what_a_command_leaves_running_keeps_nobody(here: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has the output open still; the command itself has ended."""
    monkeypatch.setattr(seam_connection, "LINGER_SECONDS", 0.2)
    began = time.monotonic()
    assert run(here, "sleep 8 & echo done")[:2] == (True, ["done"])
    assert time.monotonic() - began < 5


def test_much_output_comes_whole(here: Connection) -> None:
    """More than a pipe holds, on both streams at once."""
    ok, out, err = run(here, "seq 20000; seq 20000 >&2")
    assert (ok, len(out), len(err)) == (True, 20_000, 20_000)


def test_a_stream_answers_line_by_line_and_ends_with_its_input(here: Connection) -> None:
    """As the lock's does: it lives as long as it hears from us."""
    stream = here.open_stream(script('while read -r line; do echo "said $line"; done; echo over'), 60)
    stream.write("one")
    assert stream.read_line(5) == "said one"
    stream.write("two")
    assert stream.read_line(5) == "said two"
    stream.finish()
    assert [stream.read_line(5), stream.read_line(5)] == ["over", None]
    stream.close()


def test_after_the_end_nothing_is_taken_for_an_answer(here: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that cannot start a process says nothing, and that is no "no"."""
    monkeypatch.setattr("slipway.seam.on_this_host.Popen", _no_room)
    with pytest.raises(ConnectionLost, match="no room"):
        run(here, "true")


def _no_room(*words: Any, **options: Any) -> Any:
    raise OSError("no room for another process")
