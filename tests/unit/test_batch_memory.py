"""What a host was asked is asked together by the next run; what it answers holds until something changes."""

from __future__ import annotations

import json
import os
import shlex
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyinfra.api import HiddenValue, StringCommand
from pyinfra.connectors.util import CommandOutput, OutputLine

from slipway.seam import learnt, memory
from slipway.seam.memory import Holds, Memory
from slipway.seam.together import ASK_SECONDS, Answer


@dataclass
class Operation:
    """What pyinfra knows of one."""

    _maybe_is_change: bool = False
    is_done: bool = False

    def is_complete(self) -> bool:
        return self.is_done


@dataclass
class FakeHost:
    """As much of pyinfra's host as a memory looks at."""

    print_prefix: str = ""
    op_hash_order: list[str] = field(default_factory=list)
    executing_op_hash: str | None = None
    current_op_hash: str | None = None
    state: Any = None


class FakeConnection:
    """A host that is a few words long. What a shell makes of many questions is tried in test_batch.py."""

    def __init__(self, path: Path | None = None, files: dict[str, str] | None = None) -> None:
        self.host = FakeHost(state=SimpleNamespace(is_executing=False, ops=_ByIdentity()))
        self.files = {} if files is None else files
        self.sent: list[str] = []
        self.memory = Memory(self)  # type: ignore[arg-type]
        if path:
            self.memory.foreseen.learn_from(path)
        self.mangle: Callable[[list[str]], list[str]] = lambda said: said
        self.clock = 0.0
        self.slowness = 0.0
        """Seconds that `slow` takes."""

    def _is_open(self) -> bool:
        return True

    def _run(self, command: StringCommand, **arguments: Any) -> tuple[bool, CommandOutput]:
        words = command.get_raw_value()
        self.sent.append(words)
        if not words.startswith("sh -s "):
            answer = self._answer(words, seconds=ASK_SECONDS)
            return answer.code == 0, answer.output
        stdout, stderr = self._shell(arguments["_stdin"].decode())
        lines = [OutputLine("stdout", line) for line in self.mangle(stdout)]
        return True, CommandOutput(lines + [OutputLine("stderr", line) for line in stderr])

    def _shell(self, text: str) -> tuple[list[str], list[str]]:
        """What a shell says that reads this."""
        lines = text.splitlines()
        mark = lines[0].removeprefix("mark=")
        stdout, stderr = ["", f"{mark} begin"], ["", f"{mark} begin"]
        seconds = 0
        for line in lines:
            if line.startswith("timeout --kill-after=10 "):
                seconds = int(line.split()[2])
            if not line.endswith(" < /dev/null"):
                continue
            answer = self._answer(shlex.split(line)[2], seconds)
            stdout += [*answer.stdout, "", f"{mark} {answer.code}"]
            stderr += [*answer.stderr, "", f"{mark} {answer.code}"]
            if answer.is_out_of_time:
                break
        return stdout, stderr

    def _answer(self, words: str, seconds: float) -> Answer:
        verb, _, rest = words.partition(" ")
        if verb == "fail":
            return Answer(3, stderr=("why",))
        if verb == "slow":
            self.clock += min(self.slowness, seconds)
            return Answer(124) if self.slowness > seconds else Answer(0, ("slow",))
        if verb == "cat":
            return Answer(0, ("there", *self.files[rest].split("\n")) if rest in self.files else ())
        return Answer(0, (rest,))

    def ask(self, words: str, holds: Holds = Holds.UNTIL_ANY_CHANGE, **arguments: Any) -> tuple[bool, list[str]]:
        ok, output = self.memory.ask(StringCommand(words), {}, arguments, holds)
        return ok, output.stdout_lines

    def operations(self, *changing: bool) -> None:
        """This run has as many operations; those that are expected to change something."""
        self.host.op_hash_order = [str(number) for number in range(len(changing))]
        for name, expected in zip(self.host.op_hash_order, changing, strict=True):
            self.host.state.ops[self.host][name] = SimpleNamespace(operation_meta=Operation(expected))

    def prepare(self, questions: Sequence[Sequence[str]]) -> None:
        """Each operation puts its questions."""
        for name, asked in zip(self.host.op_hash_order, questions, strict=True):
            self.host.current_op_hash = name
            for words in asked:
                self.ask(words)
        self.host.current_op_hash = None
        self.memory.foreseen.is_whole = True

    def execute(self, number: int, *questions: str) -> list[list[str]]:
        """One operation puts its questions while the run executes."""
        self.host.state.is_executing, self.host.executing_op_hash = True, str(number)
        said = [self.ask(words)[1] for words in questions]
        self.host.executing_op_hash = None
        return said


class _ByIdentity(dict[Any, Any]):
    """Hosts to their operations; a dataclass that may change is no key."""

    def __getitem__(self, host: Any) -> Any:
        return self.setdefault(id(host), {})


WORDS = [f"echo {number}" for number in range(6)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "asked" / "all" / "web1.json"


def run_of(path: Path | None, words: Sequence[str], is_whole: bool = True) -> FakeConnection:
    """A run that asks these questions, and ends."""
    run = FakeConnection(path)
    for each in words:
        assert run.ask(each) == (True, [each.removeprefix("echo ")])
    run.memory.foreseen.is_whole = is_whole
    run.memory.foreseen.save()
    return run


def test_the_second_run_asks_all_at_once(path: Path) -> None:
    """Six questions: six commands in the first run, one in the second, none for those that were answered before."""
    assert len(run_of(path, WORDS).sent) == 6
    assert len(run_of(path, WORDS * 2).sent) == 1


def test_a_new_question_is_asked_by_itself_and_learnt(path: Path) -> None:
    """What the last run did not ask costs one command, once."""
    run_of(path, WORDS[:5])
    assert len(run_of(path, WORDS).sent) == 2
    assert len(run_of(path, WORDS).sent) == 1


def test_what_is_asked_no_longer_is_forgotten(path: Path) -> None:
    """What two whole runs in turn did not put to the host is not put to it by the next. A plan asks less than a deploy:
    one that comes between costs nothing, nor does a run that was cut short."""
    run_of(path, WORDS)
    run_of(path, WORDS[:2])
    assert len(run_of(path, WORDS).sent) == 1
    for _ in range(3):
        run_of(path, WORDS[:2], is_whole=False)
    assert len(learnt.read(path).questions) == 6
    run_of(path, WORDS[:2])
    run_of(path, WORDS[:2])
    assert [each.words for each in learnt.read(path).questions] == WORDS[:2]


def deleted(path: Path) -> None:
    path.unlink()


def no_file(path: Path) -> None:
    path.unlink()
    path.mkdir()


def corrupt(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40] + b"\xff\x00")


def of_another_format(path: Path) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 0}))


def of_another_version(path: Path) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | {"slipway": "0.0.1"}))


def with_another_privilege(path: Path) -> None:
    told = json.loads(path.read_text())
    told["questions"][3]["privilege"] = {"_env": {"A": "b"}}
    path.write_text(json.dumps(told))


def open_to_others(path: Path) -> None:
    path.chmod(0o660)


def of_somebody_else(path: Path) -> None:
    os.chown(path, 65534, 65534)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def a_list(path: Path) -> None:
    path.write_text("[1, 2]")


@pytest.mark.parametrize("damage", [
    deleted, no_file, corrupt, of_another_format, of_another_version, with_another_privilege, open_to_others,
    of_somebody_else, empty, a_list,
])  # fmt: skip
def test_without_what_was_learnt_all_is_asked_one_by_one(path: Path, damage: Callable[[Path], None]) -> None:
    """Whatever became of the file: the same answers, only slower. Commands that others may have written are not run."""
    if damage is of_somebody_else and os.geteuid() != 0:
        pytest.skip("only root gives files away")
    run_of(path, WORDS)
    damage(path)
    assert len(run_of(path, WORDS).sent) == 6
    if damage is not no_file:
        assert len(run_of(path, WORDS).sent) == 1


def test_a_directory_that_cannot_be_written_only_costs_time(tmp_path: Path) -> None:
    """Where nothing can be kept, nothing fails."""
    (tmp_path / "asked").write_text("a file where the directory belongs")
    assert len(run_of(tmp_path / "asked" / "web1.json", WORDS).sent) == 6


def test_it_is_kept_for_our_eyes_and_out_of_git(path: Path) -> None:
    """0600, in a directory that git passes over; no question that hides something is in it, and no answer."""
    run = FakeConnection(path)
    run.memory.ask(StringCommand("echo", HiddenValue("s3cret")), {}, {})
    run.memory.ask(StringCommand("cat"), {}, {"_stdin": b"s3cret"})
    run.files["file"] = "an answer"
    run.ask("cat file")
    run.memory.foreseen.save()
    assert path.stat().st_mode & 0o777 == 0o600
    assert (path.parent / ".gitignore").read_text() == "*\n"
    assert "s3cret" not in path.read_text() and "an answer" not in path.read_text()
    assert "cat file" in path.read_text()
    assert [each.name for each in path.parent.iterdir() if each.name.startswith(".new")] == []


def test_an_answer_that_is_not_certain_is_asked_for_by_itself(path: Path) -> None:
    """A question that fails among others fails by itself, in its own words; the others have their answers."""
    for commands in (3, 2):
        run = FakeConnection(path)
        assert run.ask(WORDS[0]) == (True, ["0"])
        assert run.ask("fail") == (False, [])
        assert run.ask(WORDS[1]) == (True, ["1"])
        assert len(run.sent) == commands
        run.memory.foreseen.is_whole = True
        run.memory.foreseen.save()


def nothing(said: list[str]) -> list[str]:
    return []


def garbled(said: list[str]) -> list[str]:
    return [f"{line} " for line in said]


def doubled(said: list[str]) -> list[str]:
    return said * 2


def begun(said: list[str]) -> list[str]:
    return said[:3]


@pytest.mark.parametrize("mangle", [nothing, garbled, doubled, begun])
def test_what_cannot_be_told_apart_is_asked_one_by_one(path: Path, mangle: Callable[[list[str]], list[str]]) -> None:
    """An answer to all of them that was cut off, doubled or garbled is no answer to any that it leaves open."""
    run_of(path, WORDS)
    run = FakeConnection(path)
    run.mangle = lambda said: mangle(said) if len(run.sent) == 1 else said
    assert [run.ask(words)[1] for words in WORDS] == [[str(number)] for number in range(6)]
    assert len(run.sent) == 7


def test_a_question_that_hangs_holds_up_nobody(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It costs its limit once: the others are answered together, it by itself, and the next run asks it so at once."""

    def sent(slowness: float) -> int:
        run = FakeConnection(path)
        run.slowness = slowness
        monkeypatch.setattr(memory, "time", SimpleNamespace(time=lambda: run.clock))
        for words in (WORDS[0], "slow", *WORDS[1:]):
            assert run.ask(words)[0]
        run.memory.foreseen.is_whole = True
        run.memory.foreseen.save()
        return len(run.sent)

    assert sent(slowness=0) == 7
    # Together: once up to the one that hangs, once what was behind it; by itself: the one.
    assert sent(slowness=30) == 3
    assert [each.words for each in learnt.read(path).slow] == ["slow"]
    assert sent(slowness=30) == 2
    # It has become quick: by itself once more, and among the others from then on.
    assert sent(slowness=1) == 2
    assert sent(slowness=1) == 1


def test_as_many_commands_as_privileges(path: Path) -> None:
    """Questions under another account go by themselves, all at once too."""
    arguments = [{}, {"_sudo_user": "a"}]

    def ask_all() -> FakeConnection:
        run = FakeConnection(path)
        for words in WORDS:
            for each in arguments:
                run.ask(words, **each)
        run.memory.foreseen.is_whole = True
        run.memory.foreseen.save()
        return run

    assert len(ask_all().sent) == 12
    assert len(ask_all().sent) == 2


def test_after_a_change_what_remains_is_asked_at_once() -> None:
    """Up to the next operation that is expected to change something: behind it other answers hold."""
    run = FakeConnection()
    run.operations(False, True, False, False, True, False)
    run.prepare([[words] for words in WORDS])
    assert len(run.sent) == 6
    run.execute(0, WORDS[0])
    run.execute(1, WORDS[1])
    assert len(run.sent) == 6
    run.memory.changed()
    run.host.state.ops[run.host]["1"].operation_meta.is_done = True
    for number in (2, 3, 4):
        assert run.execute(number, WORDS[number]) == [[str(number)]]
    assert len(run.sent) == 7
    run.memory.changed()
    assert run.execute(5, WORDS[5]) == [["5"]]
    assert len(run.sent) == 8


def test_a_look_is_at_the_host_as_it_is_now(path: Path) -> None:
    """A gate is answered by a command of its own, begun after it has asked; and asks nothing besides."""
    run_of(path, ["cat state", *WORDS][1:])
    run = FakeConnection(path, {"state": "before"})
    assert run.ask("cat state") == (True, ["there", "before"])
    run.files["state"] = "after"
    assert run.ask("cat state") == (True, ["there", "before"])  # nothing that we know of has changed
    run.memory.forget()
    assert run.ask("cat state") == (True, ["there", "after"])
    assert run.sent[1:] == ["cat state"]


def test_live_questions_go_together_and_each_answer_counts_once() -> None:
    """What was announced is asked with the first of them; an answer serves once, and not beyond a change."""
    run = FakeConnection(files={"1": "one", "2": "one", "3": "one"})
    for number in (1, 2, 3):
        run.memory.announce(StringCommand(f"cat {number}"), {})
    assert run.sent == []
    assert [run.ask(f"cat {number}", Holds.NOT)[1][1] for number in (1, 2)] == ["one", "one"]
    assert len(run.sent) == 1
    run.files |= {"1": "two", "3": "two"}
    assert run.ask("cat 1", Holds.NOT)[1][1] == "two"
    run.memory.changed()
    assert run.ask("cat 3", Holds.NOT)[1][1] == "two"
    assert len(run.sent) == 3


def test_a_change_elsewhere_is_asked_about_where_it_may_matter() -> None:
    """Of what only the host itself has a part in, answers hold until something changes there; of the rest, not."""
    run = FakeConnection(files={"file": "before", "health": "before"})

    def ask() -> list[str]:
        return [run.ask("cat file", Holds.UNTIL_A_CHANGE_HERE)[1][1], run.ask("cat health")[1][1]]

    assert ask() == ["before", "before"]
    run.files |= {"file": "after", "health": "after"}
    run.memory.doubt()
    assert ask() == ["before", "after"]
    run.memory.changed()
    assert ask() == ["after", "after"]


@pytest.mark.parametrize("what", ["changed", "forget", "renew", "doubt"])
def test_an_answer_that_was_asked_for_before_is_not_kept(path: Path, what: str) -> None:
    """What was under way when something changed, or when a gate began to look, is no answer to who asks afterwards."""
    run_of(path, WORDS)
    run = FakeConnection(path)
    stock = run._run

    def meanwhile(command: StringCommand, **arguments: Any) -> tuple[bool, CommandOutput]:
        said = stock(command, **arguments)
        if len(run.sent) <= 2:  # all together, then the one by itself
            getattr(run.memory, what)()
        return said

    run._run = meanwhile  # type: ignore[method-assign]
    run.ask(WORDS[0])
    assert len(run.sent) == 2
    run.ask(WORDS[0])
    assert len(run.sent) == 3


def test_the_switch_asks_everything_by_itself(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SLIPWAY_TOGETHER=no, for whoever suspects that it makes a difference."""
    run_of(path, WORDS)
    monkeypatch.setenv("SLIPWAY_TOGETHER", "no")
    assert len(run_of(path, WORDS).sent) == 6


class WithoutMemory(FakeConnection):
    """Every question is put to the host each time, as stock pyinfra does."""

    def ask(self, words: str, holds: Holds = Holds.UNTIL_ANY_CHANGE, **arguments: Any) -> tuple[bool, list[str]]:
        ok, output = self._run(StringCommand(words))
        return ok, output.stdout_lines


FILES = ["a", "b", "c"]
contents = st.sampled_from(["x", "y\n"])
states = st.dictionaries(st.sampled_from(FILES), contents)


@dataclass(frozen=True)
class Step:
    """Where `asks` does not hold what is wanted, it is written; where `owes` is set, another file is removed."""

    asks: str
    wanted: str
    owes: str = ""


steps = st.lists(
    st.builds(Step, st.sampled_from(FILES), contents, st.sampled_from(["", *FILES])), min_size=2, max_size=6
)


def differs(run: FakeConnection, step: Step) -> bool:
    ok, said = run.ask(f"cat {step.asks}")
    assert ok
    return said != ["there", *step.wanted.split("\n")]


def converge(run: FakeConnection, plan: Sequence[Step]) -> tuple[list[int], list[int], dict[str, str]]:
    """Which steps a deploy expects to change something, which do, and what the host has then."""
    run.operations(*(False for _ in plan))
    operations = [each.operation_meta for each in run.host.state.ops[run.host].values()]
    expected, changed = [], []
    for number, step in enumerate(plan):
        run.host.current_op_hash = str(number)
        if differs(run, step):
            expected.append(number)
            operations[number]._maybe_is_change = True
    run.host.current_op_hash, run.memory.foreseen.is_whole = None, True
    run.host.state.is_executing = True
    for number, step in enumerate(plan):
        run.host.executing_op_hash = str(number)
        if differs(run, step):
            changed.append(number)
            run.memory.changed()
            run.files[step.asks] = step.wanted
            run.files.pop(step.owes, None)
            run.memory.changed()
        operations[number].is_done = True
    run.memory.foreseen.save()
    return expected, changed, run.files


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(states, steps, states, steps, states)
def test_plan_and_result_are_the_same_without_it(
    first: dict[str, str], plan: list[Step], drift: dict[str, str], other: list[Step], last: dict[str, str]
) -> None:
    """Any state, any drift, and what was learnt from another plan: what is expected to change, what is changed, and
    how the host ends are as without asking together; and it takes no more commands."""
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "asked.json"
        for state, steps_now in ((first, plan), (drift, other), (last, plan), (last, plan)):
            each_time = WithoutMemory(files=dict(state))
            one_by_one = FakeConnection(files=dict(state))
            one_by_one.memory._may_ask_together = False
            together = FakeConnection(path, dict(state))
            wanted = converge(each_time, steps_now)
            assert converge(one_by_one, steps_now) == converge(together, steps_now) == wanted
            assert len(together.sent) <= len(one_by_one.sent) <= len(each_time.sent)
