"""Files that changed on a host go up together: plan, results, order, errors and what the host has then are the same."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyinfra.connectors.util import CommandOutput, OutputLine

from slipway.facts.files import script
from slipway.ops import files
from slipway.seam import connection, fence, memory, write_ahead
from slipway.seam.errors import ConnectionLost, LockLost
from slipway.seam.one_go import Change, in_one_go
from slipway.secrets import Secret
from slipway.touches import Touch
from tests.shell_host import ShellHost, deploy, directory, put, settle

REFUSES = ("sh", "-c", "echo not like this; exit 3", "check")


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Switches it off."""
    return lambda: monkeypatch.setenv(memory.SWITCH, "no")


def twelve(root: Path) -> Callable[[], None]:
    """A directory, and twelve files in it and beside it."""

    def tasks() -> None:
        directory(root / "d")
        for number in range(12):
            put(root / ("d" if number % 2 else "") / str(number), f"{number}")

    return tasks


def test_changed_files_cost_one_command(tmp_path: Path) -> None:
    """Eleven files and their directory, with nothing in between: one command. One that is as wanted parts nobody, and
    nobody is asked anything more."""
    (tmp_path / "4").write_text("4")
    (tmp_path / "4").chmod(0o644)
    done = deploy(tmp_path, twelve(tmp_path))
    assert (done.error, done.counted) == ("", (12, 1))
    assert len(done.connection.changes) == 1
    assert done.told[5] == ("Write 4", "unchanged")
    assert len(done.connection.sent) == done.connection.commands_sent == 1 + 13  # the first run asks one by one
    assert (tmp_path / "d/11").read_text() == "11"
    assert deploy(tmp_path, twelve(tmp_path)).planned == []


@pytest.mark.sweep
def test_the_switch_sends_each_by_itself(tmp_path: Path, alone: Callable[[], None]) -> None:
    """SLIPWAY_TOGETHER=no, for whoever suspects that it makes a difference."""
    alone()
    assert len(deploy(tmp_path, twelve(tmp_path)).connection.changes) == 13


@pytest.mark.sweep
def test_one_changed_file_goes_as_ever(tmp_path: Path) -> None:
    """A group of one is no group: the same command as before."""
    deploy(tmp_path, twelve(tmp_path))
    (tmp_path / "d/3").write_text("by hand")
    sent = deploy(tmp_path, twelve(tmp_path)).connection.changes
    assert len(sent) == 1
    assert "in one go" not in sent[0][0]


def test_each_change_is_known_to_what_depends_on_it(tmp_path: Path) -> None:
    """`did_change` of each, and what each owes, lead to what they led to; the files behind that go up after it."""

    def tasks() -> None:
        put(tmp_path / "a", owes=["reload:one"])
        changed = put(tmp_path / "b")
        put(tmp_path / "c")
        settle(root=str(tmp_path), what="reload:one", name="Reload")
        put(tmp_path / "told", _if=changed.did_change)
        put(tmp_path / "e")
        put(tmp_path / "f", _if=changed.did_not_change)

    done = deploy(tmp_path, tasks)
    assert done.counted == (6, 1)
    assert (tmp_path / "log").read_text() == "reload:one\n"
    assert [(tmp_path / name).exists() for name in ("told", "e", "f")] == [True, True, False]
    assert len(done.connection.changes) == 4  # a, b and c; the reload; told; e


def test_after_a_change_what_a_group_needs_to_know_is_asked_at_once(tmp_path: Path) -> None:
    """Something else has changed the host: the states of all six files behind it come with one question."""

    def tasks() -> None:
        files.link(path=str(tmp_path / "link"), target="x", name="Link")
        for number in range(6):
            put(tmp_path / str(number))

    done = deploy(tmp_path, tasks)
    assert len(done.connection.changes) == 2
    assert len(done.connection.sent) == 7 + 1 + 1 + 1  # each asked once, the link, the six asked again, the six


def test_the_first_that_fails_is_the_last_that_is_begun(tmp_path: Path) -> None:
    """What went before it is done and counted, its own words are the error, what stands behind it is as it was."""

    def tasks() -> None:
        for name in "ab":
            put(tmp_path / name)
        put(tmp_path / "c", check=REFUSES)
        put(tmp_path / "d")

    (tmp_path / "c").write_text("old")
    done = deploy(tmp_path, tasks)
    assert done.told == [("Write a", "changed"), ("Write b", "changed"), ("Write c", "failed")]
    assert done.error.endswith("its check refuses the new one:\nnot like this")
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["a", "b", "c"]
    assert (tmp_path / "c").read_text() == "old"
    assert len(done.connection.changes) == 1


@pytest.mark.sweep
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.one_of(st.binary(max_size=300), st.just(b"x" * 70_000), st.just(b"")), min_size=2, max_size=5))
def test_content_arrives_byte_for_byte(contents: list[bytes]) -> None:
    """Whatever is in it, however long: none takes anything from the next."""
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        names = [f"{number} $(id) '{number}'\n;" for number in range(len(contents))]

        def tasks() -> None:
            for name, content in zip(names, contents, strict=True):
                put(root / name, content, name="Write")

        done = deploy(root, tasks)
        assert done.error == ""
        assert [(root / name).read_bytes() for name in names] == contents
        assert len(done.connection.changes) == 1


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a connection prints."""
    lines: list[str] = []
    monkeypatch.setattr(connection, "echo", lambda line, err: lines.append(line))
    return lines


def test_a_secret_is_in_no_argument_and_in_no_output(tmp_path: Path, shown: list[str]) -> None:
    """Content and its hash go up on standard input alone, and nothing that is printed tells of it."""
    secret = "canary-4711"

    def tasks() -> None:
        put(tmp_path / "a", Secret(secret), mode="600")
        put(tmp_path / "b", Secret(secret), mode="600", check=REFUSES)

    done = deploy(tmp_path, tasks, verbose=True)
    words, stdin = done.connection.changes[0]
    assert stdin.count(secret.encode()) == 2
    assert "not like this" in "".join(shown)
    for text in (words, done.error, "".join(shown)):
        assert secret not in text
        assert files.sha256_of(secret) not in text


def test_what_is_printed_is_the_same(tmp_path: Path, shown: list[str], alone: Callable[[], None]) -> None:
    """With every command and every output shown: each operation shows its own command, and what that has said."""

    def tasks() -> None:
        put(tmp_path / "a", mode="600", check=("echo", "fine"))
        put(tmp_path / "b")
        put(tmp_path / "c", check=REFUSES)

    deploy(tmp_path, tasks, verbose=True)
    together = list(shown)
    shown.clear()
    shutil.rmtree(tmp_path)
    tmp_path.mkdir()
    alone()
    deploy(tmp_path, tasks, verbose=True)
    assert together == shown
    assert sum(">>> " in line for line in shown) == 3


# --- what does not go together


@pytest.mark.sweep
def test_what_may_depend_on_another_is_not_begun_before_it(tmp_path: Path) -> None:
    """Another account, a condition, a retry, the same file again, a kind that reads more than its path: each waits."""
    ways: list[Callable[[], Any]] = [
        lambda: put(tmp_path / "b", _if=lambda: True),
        lambda: put(tmp_path / "b", _retries=1),
        lambda: put(tmp_path / "b", _env={"A": "b"}),
        lambda: put(tmp_path / "d/../b"),
        lambda: put(tmp_path / "d/a"),
        lambda: put(tmp_path / "a", "y"),
        lambda: put(tmp_path / "b", b"x" * (write_ahead.MOST_BYTES + 1)),
        lambda: files.link(path=str(tmp_path / "b"), target="a", name="Link b"),
    ]
    for way in ways:
        shutil.rmtree(tmp_path)
        (tmp_path / "d").mkdir(parents=True)

        def tasks(way: Callable[[], Any] = way) -> None:
            put(tmp_path / "a")
            way()

        done = deploy(tmp_path, tasks)
        assert (done.error, done.counted) == ("", (2, 0))
        assert len(done.connection.changes) == 2
        assert "in one go" not in "".join(words for words, _ in done.connection.changes)


@pytest.mark.parametrize(("earlier", "later", "apart"), [
    (Touch("/a/b"), Touch("/a/c"), True),
    (Touch("/a/b"), Touch("/a/b"), False),
    (Touch("/a/b"), Touch("/c/b"), False),  # /c may be a link to /a
    (Touch("/a", is_directory=True), Touch("/a/c"), True),
    (Touch("/a"), Touch("/a/c"), False),
    (Touch("/a/c"), Touch("/a", is_directory=True), False),
    (Touch("/a/c", is_directory=True), Touch("/a", is_directory=True), False),  # making it makes its parent
    (Touch("/a"), Touch("/ab/c"), True),
])  # fmt: skip
def test_paths_that_are_apart(earlier: Touch, later: Touch, apart: bool) -> None:
    """Only where what is done to one cannot be seen at the other."""
    assert later.goes_after(earlier) is apart


# --- what goes wrong on the way


def lost_after(ended: int) -> type[ShellHost]:
    """A host whose connection breaks when so many of its changes have told their end."""

    def lose(code: int, output: CommandOutput) -> tuple[int, CommandOutput]:
        marks = {each.line.split()[0] for each in output if each.line.endswith(" begin")}
        heard, seen = [], {"stdout": 0, "stderr": 0}
        for each in output:
            if seen[each.buffer_name] <= ended:
                heard.append(each)
            seen[each.buffer_name] += each.line.split(" ")[0] in marks
        raise ConnectionLost("the connection has ended", heard)

    return type("Lost", (ShellHost,), {"end": staticmethod(lose)})


@pytest.mark.sweep
@pytest.mark.parametrize("ended", range(4))
def test_a_connection_that_breaks_leaves_what_is_known(tmp_path: Path, ended: int) -> None:
    """What has told its end counts; the next has failed, as nobody knows; a further run finishes."""

    def tasks() -> None:
        for name in "abcd":
            put(tmp_path / name)

    done = deploy(tmp_path, tasks, lost_after(ended))
    assert done.told == [
        *((f"Write {name}", "changed") for name in "abcd"[:ended]),
        (f"Write {'abcd'[ended]}", "failed"),
    ]
    assert "the connection has ended" in done.error
    again = deploy(tmp_path, tasks)
    assert again.error == ""
    assert [(tmp_path / name).read_text() for name in "abcd"] == ["x\n"] * 4


def garbled(code: int, output: CommandOutput) -> tuple[int, CommandOutput]:
    return code, CommandOutput([])


def refused(code: int, output: CommandOutput) -> tuple[int, CommandOutput]:
    return 1, CommandOutput([OutputLine("stderr", "sudo: a password is required")])


@pytest.mark.parametrize(("end", "told"), [(garbled, "could not be told"), (refused, "a password is required")])
def test_what_tells_nothing_is_no_success(tmp_path: Path, end: Any, told: str) -> None:
    """An answer that cannot be told apart, and a command that was refused as a whole: the first has failed."""

    def tasks() -> None:
        for name in "ab":
            put(tmp_path / name)

    done = deploy(tmp_path, tasks, type("Odd", (ShellHost,), {"end": staticmethod(end)}))
    assert done.told == [("Write a", "failed")]
    assert told in done.error


def test_a_lock_that_is_lost_in_the_middle_stops_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The host looks for the lock's mark before each of them, as it does before one by itself."""
    root, run = tmp_path / "root", tmp_path / "run"
    for each in (root, run):
        each.mkdir()
    (run / "held-token").write_text("")
    monkeypatch.setattr(fence, "RUN", str(run))

    def tasks() -> None:
        put(root / "a")
        put(root / "b", check=("rm", str(run / "held-token")))
        put(root / "c")

    done = deploy(root, tasks, type("Held", (ShellHost,), {"token_held": "token"}))
    assert done.told == [("Write a", "changed"), ("Write b", "changed"), ("Write c", "failed")]
    assert "has lost its lock there" in done.error
    assert not (root / "c").exists()


def test_what_was_done_counts_where_the_lock_is_lost_after_it(tmp_path: Path) -> None:
    """A connection that breaks takes the lock with it: files that have gone up are told, nothing more is begun."""
    found = iter(["", "the connection has ended"])

    def check_lock() -> None:
        if why := next(found):
            raise LockLost("web1", why)

    def tasks() -> None:
        for name in "ab":
            put(tmp_path / name)
        files.link(path=str(tmp_path / "c"), target="a", name="Link c")

    done = deploy(tmp_path, tasks, check_lock=check_lock)
    assert done.told == [("Write a", "changed"), ("Write b", "changed"), ("Link c", "failed")]
    assert not (tmp_path / "c").is_symlink()


def test_each_has_its_own_time_limit(tmp_path: Path) -> None:
    """One that hangs is ended by the host after its own time, and says so; the ones before it had theirs."""

    def tasks() -> None:
        put(tmp_path / "a")
        put(tmp_path / "b", check=("sleep", "60"), _timeout=1)
        put(tmp_path / "c")

    done = deploy(tmp_path, tasks)
    assert done.told == [("Write a", "changed"), ("Write b", "failed")]
    assert "timed out after 1 s" in done.error
    assert len(done.connection.changes) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.sweep
@pytest.mark.parametrize("share", [0.0, 0.4, 0.8, 0.9, 0.999])
def test_an_upload_that_is_cut_short_leaves_whole_files(tmp_path: Path, share: float) -> None:
    """Wherever it ends: each file is the new one or the one from before, and nothing of a program is run by half."""
    contents = {name: f"{name}\n" * 500 for name in "abc"}

    def tasks() -> None:
        for name, content in contents.items():
            put(tmp_path / name, content)

    done = deploy(tmp_path, tasks, type("Cut", (ShellHost,), {"share": share}))
    assert done.error
    whole = [name for name in "abc" if (tmp_path / name).exists()]
    assert whole == list("abc")[: len(whole)]
    assert len(whole) < 3
    assert [(tmp_path / name).read_text() for name in whole] == [contents[name] for name in whole]
    assert [path.name for path in sorted(tmp_path.iterdir())] == whole


PIPED: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}


@pytest.mark.sweep
@pytest.mark.parametrize("share", [0.05, 0.5])
def test_a_controller_that_stands_still_holds_up_nobody_for_longer_than_a_command(share: float) -> None:
    """In the middle of the program or of a content, with its connection open: over when one command's time is."""
    words = script('[ "$(wc -c)" = 1000 ] || exit 74').get_raw_value()
    changes = [Change(words, b"x" * 1000, seconds=1)] * 30
    command, stdin = in_one_go("mark" * 8, changes)
    with subprocess.Popen(["sh", "-c", command.get_raw_value()], **PIPED) as running:
        running.stdin.write(stdin[: int(len(stdin) * share)])
        running.stdin.flush()
        began = time.monotonic()
        running.wait(60)
        assert time.monotonic() - began < 20  # all of their limits together are 30 s


def test_nothing_is_begun_when_nobody_listens_any_more(tmp_path: Path) -> None:
    """The controller is gone in the middle: the command in hand ends as it should, and no other is begun."""
    listens = tmp_path / "listens"
    listens.touch()
    waits = 'touch -- "$1/begun"; while [ -e "$1/listens" ]; do sleep 0.02; done; touch -- "$1/done"'
    changes = [
        Change(script(words, str(tmp_path)).get_raw_value(), seconds=60) for words in (waits, 'touch -- "$1/never"')
    ]
    command, stdin = in_one_go("mark" * 8, changes)
    with subprocess.Popen(["sh", "-c", command.get_raw_value()], **PIPED) as running:
        running.stdin.write(stdin)
        running.stdin.close()
        while not (tmp_path / "begun").exists():
            assert running.poll() is None
            time.sleep(0.02)  # it says nothing when it has begun
        running.stdout.close()
        running.stderr.close()
        listens.unlink()
        running.wait(60)
    assert (tmp_path / "done").exists()
    assert not (tmp_path / "never").exists()
