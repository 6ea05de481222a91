"""Many questions in one command: each answer is what it would be by itself, whatever it holds."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
import time
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyinfra.api import HiddenValue, QuoteString, StringCommand
from pyinfra.connectors.util import CommandOutput, OutputLine

from slipway.facts.files import PathFact, script
from slipway.facts.packages import PackagesFact
from slipway.seam.together import _SIMPLE, SOME, Answer, Question, answers, in_order, question_of, text

MARK = "7f3a" * 8


def read(stdout: bytes, stderr: bytes) -> CommandOutput:
    """As a connection reads a command's output."""
    streams = (("stdout", stdout), ("stderr", stderr))
    return CommandOutput([
        OutputLine(name, line.decode("utf-8", errors="replace"))
        for name, said in streams
        for line in said.removesuffix(b"\n").split(b"\n")
        if said
    ])  # fmt: skip


def together(questions: list[Question], limit: float = 20, cut: int | None = None) -> list[Answer]:
    done = subprocess.run(["sh", "-s"], input=text(MARK, questions, limit)[:cut], capture_output=True, check=False)
    return answers(MARK, read(done.stdout, done.stderr), len(questions))


def alone(question: Question) -> Answer:
    words = ["sh", "-c", question.words]
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    output = read(done.stdout, done.stderr)
    return Answer(done.returncode, tuple(output.stdout_lines), tuple(output.stderr_lines))


def says(stdout: bytes, stderr: bytes = b"", code: int = 0) -> Question:
    """A question whose answer is these bytes."""
    octal = ["".join(f"\\{byte:03o}" for byte in said) for said in (stdout, stderr)]
    return Question(f"printf {shlex.quote(octal[0])}; printf {shlex.quote(octal[1])} >&2; exit {code}")


LINES = [b"\n", b"a", b"\r\n", b"\xff\xfe", MARK[:-1].encode(), b" 0\n", b" begin\n", b"ask 1 sh true", "ü".encode()]
said = st.one_of(st.binary(max_size=40), st.lists(st.sampled_from(LINES), max_size=6).map(b"".join)).filter(
    lambda each: MARK.encode() not in each  # 128 random bits, which nobody guesses; pieces of it come to it by chance
)
codes = st.sampled_from([0, 0, 0, 1, 7, 125, 127, 255])


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.builds(says, said, said, codes), min_size=1, max_size=8))
def test_an_answer_among_many_is_the_answer_by_itself(questions: list[Question]) -> None:
    """Lines, bytes that are no text, a last line without an end, complaints and exit codes: each as asked alone."""
    assert together(questions) == [alone(question) for question in questions]


def test_a_question_whose_time_is_up_ends_it() -> None:
    """What stands before it is answered; what stands behind it is not, for what still runs might talk into that."""
    found = together([says(b"one\n"), Question("(sleep 3; echo late) & sleep 60"), says(b"three\n")], limit=1)
    assert [each.code for each in found] == [0, 124]
    assert found[0].stdout == ("one",)
    assert [each.is_out_of_time for each in found] == [False, True]


def test_each_question_has_its_own_limit() -> None:
    """A question that names a shorter limit than the others' keeps to it."""
    began = time.monotonic()
    assert together([Question("sleep 60", seconds=1)], limit=30)[0].code == 124
    assert time.monotonic() - began < 20


def test_each_answer_belongs_to_its_question_whatever_their_limits() -> None:
    """Those with limits of their own stand among many without: the order is that of the questions."""
    questions = [Question(f"echo {n}", seconds=30 if n % 7 in (2, 3) else 180) for n in range(3 * SOME)]
    assert [each.stdout for each in together(questions)] == [(str(n),) for n in range(3 * SOME)]


def test_a_question_that_ends_its_shell_ends_itself_only() -> None:
    """What a question does to the shell that it is asked in is nothing to the others."""
    odd = ["exit 3", "exec true", "set -e; false", "kill -9 $$", "cd /; mark=x; told() { :; }; echo fine", "( echo"]
    found = together([question for words in odd for question in (Question(words), says(b"next\n"))])
    assert [each.stdout for each in found[1::2]] == [("next",)] * len(odd)
    assert [each.code for each in found[::2]] == [3, 0, 1, 137, 0, 2]
    assert alone(Question("echo $0 $#; echo ${mark-none}")) == together([Question("echo $0 $#; echo ${mark-none}")])[0]


def test_a_script_is_asked_as_it_stands() -> None:
    """Its words are one program and its arguments, whatever they hold: no shell reads them twice."""
    hostile = ["'", '"', "$(touch /tmp/run)", "`id`", "a\nb", ";", "< /dev/null", "\\", "*", "", "ü", "told 0"]
    question = question_of(script('printf "<%s>" "$@"', *hostile), {})
    assert _SIMPLE.fullmatch(question.words)
    found = together([question, says(b"next\n")])
    assert found == [alone(question), alone(says(b"next\n"))]
    assert "\n".join(found[0].stdout) == "".join(f"<{each}>" for each in hostile)
    for words in (
        "sh -c a; b",
        "sh -c a & b",
        "sh -c $(id)",
        "sh -c 'a' > b",
        "sh -c 'a'\nb",
        "sh  -c a",
        "sh -c a # b",
    ):
        assert not _SIMPLE.fullmatch(words)


def test_no_question_reads_what_is_meant_for_the_next() -> None:
    """Standard input of each is empty, as it is for a question by itself."""
    assert together([Question("cat; echo read"), says(b"next\n")])[1].stdout == ("next",)


def test_what_is_left_running_keeps_no_answer_waiting() -> None:
    """It has both streams open for half a minute: the answers are there at once all the same, those behind it too."""
    began = time.monotonic()
    found = together([Question("sleep 30 & echo started"), says(b"next\n")])
    assert [each.stdout for each in found] == [("started",), ("next",)]
    assert time.monotonic() - began < 10


def test_nothing_of_a_text_that_was_cut_is_asked(tmp_path: Path) -> None:
    """A connection that breaks while the questions go up leaves a host on which none of them was run."""
    questions = [Question(f"touch {tmp_path}/{number}") for number in range(5)]
    whole = len(text(MARK, questions, 20))
    for cut in (whole // 3, whole // 2, *range(whole - 120, whole - len("\n"), 7)):
        assert together(questions, cut=cut) == []
    assert list(tmp_path.iterdir()) == []


def test_many_long_questions_go_in_one_command() -> None:
    """More than any command line takes goes by standard input: 200 questions of 10 KB each."""
    questions = [Question(f": {'x' * 10_000}; echo {number}") for number in range(200)]
    assert [each.stdout for each in together(questions)] == [(str(number),) for number in range(200)]


def test_what_does_not_add_up_is_no_answer() -> None:
    """Streams that disagree, an answer that was cut off, and noise before the first: nothing is made of them."""
    whole = [f"{MARK} begin", "one", "", f"{MARK} 0", "two", f"{MARK} 0"]
    complaints = [f"{MARK} begin", "", f"{MARK} 0", "", f"{MARK} 1"]

    def told(stdout: list[str], stderr: list[str]) -> list[Answer]:
        lines = [("stdout", line) for line in stdout] + [("stderr", line) for line in stderr]
        return answers(MARK, CommandOutput([OutputLine(*line) for line in lines]), 2)

    assert told(whole, complaints) == [Answer(0, ("one",))]
    assert told(["motd", *whole[:-1]], complaints) == [Answer(0, ("one",))]
    assert told(whole[:3], complaints) == []
    assert told([], []) == []
    assert told([*whole, *whole[1:]], complaints) == []
    assert told(["nonsense"] * 10, ["nonsense"]) == []


NAMES = ["plain", "two words", "a'b", "a\\b", "a\nb", "-n", "ü", "*", "$(id)", "no such"]


@st.composite
def places(draw: st.DrawFn) -> list[tuple[str, str]]:
    """Names in a directory, and what is made there."""
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=8, unique=True))
    kinds = st.sampled_from(["absent", "file", "empty", "directory", "link", "dangling", "pipe"])
    return [(name, draw(kinds)) for name in names]


def make(path: Path, kind: str) -> None:
    if kind == "file":
        path.write_text(f"{path.name} has this\n")
        path.chmod(0o640)
    elif kind == "empty":
        path.touch()
    elif kind == "directory":
        path.mkdir(mode=0o750)
    elif kind in ("link", "dangling"):
        path.symlink_to("/etc/passwd" if kind == "link" else "no/such\\place")
    elif kind == "pipe":
        os.mkfifo(path)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(places())
def test_many_paths_are_told_as_each_by_itself(wanted: list[tuple[str, str]]) -> None:
    """What lies at forty paths is asked with two processes; each answer is the one that it would get alone."""
    with tempfile.TemporaryDirectory() as directory:
        paths = [Path(directory) / name for name, _ in wanted]
        for path, (_, kind) in zip(paths, wanted, strict=True):
            make(path, kind)
        questions = [question_of(PathFact().command(str(path)), {}) for path in paths]
        found = together(questions)
        assert found == [alone(question) for question in questions]
        assert all(each.code == 0 for each in found)


INSTALLED = ["coreutils", "dash", "coreutils:amd64", "tzdata:all", "no-such-package", "libc6", "bash", "apt"]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.lists(st.sampled_from(INSTALLED), max_size=5, unique=True), min_size=1, max_size=4))
def test_many_packages_are_told_as_each_by_itself(asked: list[list[str]]) -> None:
    """dpkg is asked once for all of them; nothing is told of no package at all."""
    questions = [question_of(PackagesFact().command(names), {}) for names in asked]
    found = together(questions)
    assert found == [alone(question) for question in questions]
    assert all(each.stdout == () for each, names in zip(found, asked, strict=True) if not names)
    assert all(PackagesFact().process(list(each.stdout))["bash"].is_installed
               for each, names in zip(found, asked, strict=True) if "bash" in names)  # fmt: skip


def test_where_one_cannot_be_told_the_others_are(tmp_path: Path) -> None:
    """A script that cannot answer all of its questions answers none: they are asked one by one, in their order."""
    for name in ("a", "b"):
        (tmp_path / name).write_text(name)
    broken = dict(os.environ, PATH=f"{tmp_path}/bin:{os.environ['PATH']}")
    (tmp_path / "bin").mkdir()
    stat = tmp_path / "bin" / "stat"
    stat.write_text('#!/bin/sh\ncase "$*" in */b*) echo no >&2; exit 1 ;; esac\nexec /usr/bin/stat "$@"\n')
    stat.chmod(0o755)
    questions = [question_of(PathFact().command(str(tmp_path / name)), {}) for name in ("a", "b", "c")]
    done = subprocess.run(["sh", "-s"], input=text(MARK, questions, 20), env=broken, capture_output=True, check=False)
    found = answers(MARK, read(done.stdout, done.stderr), len(questions))
    assert [each.code for each in found] == [0, 1, 0]
    assert [each.stdout[-1:] for each in found] == [(f"{sha256(b'a').hexdigest()}  -",), (), ("absent",)]


def test_what_one_script_answers_stands_together() -> None:
    """In the order of the first of each kind; those with a limit or a shell of their own stay by themselves."""
    path = [question_of(PathFact().command(f"/{number}"), {}) for number in range(3)]
    other, limited = Question("echo a"), question_of(PathFact().command("/4"), {"_timeout": 7})
    assert in_order([other, path[0], limited, path[1], other, path[2]]) == [other, other, *path, limited]
    assert text(MARK, path, 20).count(b"sha256sum <") == 1


@pytest.mark.parametrize("words", ["echo $$", "echo ${0}", "echo $PPID; exit 3", "mark=x; echo $mark; told 0"])
def test_a_script_in_a_fork_says_what_it_says_in_a_shell_of_its_own(words: str) -> None:
    """One that asks for its process or its name gets a shell; none sees what the batch keeps for itself."""
    question = question_of(script(words), {})
    found, by_itself = together([question, says(b"next\n")]), alone(question)
    assert found[0].code == by_itself.code
    assert [len(found[0].stdout), found[1].stdout] == [len(by_itself.stdout), ("next",)]
    assert together([question_of(script("echo ${mark-none}; told 2>/dev/null; echo $?"), {})])[0].stdout[0] == "none"


HIDDEN = [
    (StringCommand("echo", HiddenValue("s3cret")), {}),
    (StringCommand("echo", QuoteString(StringCommand("a", HiddenValue("s3cret")))), {}),
    (StringCommand("cat"), {"_stdin": "s3cret"}),
    (StringCommand("true"), {"_env": {"PASSWORD": "s3cret"}}),
    (StringCommand("true"), {"_sudo": True, "_sudo_password": "s3cret"}),
    (StringCommand("true"), {"_shell_executable": "sh -e"}),
]


@pytest.mark.parametrize(("command", "arguments"), HIDDEN)
def test_what_holds_a_secret_is_asked_by_itself(command: StringCommand, arguments: dict[str, object]) -> None:
    """A masked word, standard input, an environment, a password: such a question joins no others, and is not kept."""
    assert question_of(command, arguments).alone


def test_questions_are_the_same_where_they_are_asked_the_same() -> None:
    """What makes no difference to the host makes no other question; as whom it is asked does."""
    command = StringCommand("echo", QuoteString("a b"))
    plain = question_of(
        command, {"_sudo": False, "_retries": 0, "_retry_delay": 5, "_timeout": None, "_success_exit_codes": [0]}
    )
    assert plain == Question("echo 'a b'")
    assert question_of(command, {"_sudo": True, "_timeout": 7}) == Question("echo 'a b'", (("_sudo", True),), 7)
