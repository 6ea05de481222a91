"""Many questions in one command: its text, and its answers told apart whatever they hold. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from pyinfra.api import HiddenValue, MaskString, QuoteString, StringCommand
from pyinfra.connectors.util import CommandOutput, OutputLine

from slipway.facts.files import ALL_AT_ONCE

ASK_SECONDS = 180
"""Time limit of a question that names none: hashing a large tree on a slow disk fits."""

PRIVILEGE = frozenset({
    "_sudo", "_sudo_user", "_use_sudo_login", "_preserve_sudo_env", "_su_user", "_use_su_login", "_preserve_su_env",
    "_su_shell", "_doas", "_doas_user", "_dzdo", "_dzdo_user", "_shell_executable",
})  # fmt: skip
"""Arguments that say as whom a command runs, and in which shell: questions that agree in them go together."""

_UNUSED = frozenset({"_timeout", "_retries", "_retry_delay", "_retry_until", "_temp_dir"})
"""Arguments that make no other question: its limit is kept apart, and nobody asks again by himself."""

_USUAL: Mapping[str, Any] = {"_success_exit_codes": [0]}
"""Arguments that say what holds anyway."""

_ONE_WORD = re.compile(r"[\w./-]+")


class Script(NamedTuple):
    """A shell script and its positional parameters."""

    text: str
    arguments: tuple[str, ...]


@dataclass(frozen=True)
class Question:
    """A command that changes nothing, as it is asked."""

    words: str
    privilege: tuple[tuple[str, Any], ...] = ()
    """Sorted."""
    seconds: int = ASK_SECONDS
    alone: str = ""
    """Not empty where it is asked by itself only: something of it is a secret, or no other question is asked so."""

    @property
    def shell(self) -> str:
        return str(dict(self.privilege).get("_shell_executable") or "sh")

    @property
    def script(self) -> Script | None:
        """What `facts.files.script` made it of; None for any other command."""
        return _script_of(self.words) if self.shell == "sh" else None


@dataclass(frozen=True)
class Answer:
    """What a command has said, and its exit code."""

    code: int
    stdout: tuple[str, ...] = ()
    stderr: tuple[str, ...] = ()

    @property
    def is_out_of_time(self) -> bool:
        """Whether `timeout` ended it, or it was killed: what it has left running may talk into what follows."""
        return self.code in (124, 137)

    @property
    def output(self) -> CommandOutput:
        """As a command's output."""
        lines = [("stdout", line) for line in self.stdout] + [("stderr", line) for line in self.stderr]
        return CommandOutput([OutputLine(name, line) for name, line in lines])


def question_of(command: StringCommand, arguments: Mapping[str, Any]) -> Question:
    """The question that a command with these connector arguments puts."""
    said = {key: value for key, value in arguments.items() if value and key not in _UNUSED}
    privilege = tuple(sorted((key, value) for key, value in said.items() if key in PRIVILEGE))
    others = sorted(
        (key, repr(value)) for key, value in said.items() if key not in PRIVILEGE and value != _USUAL.get(key)
    )
    shell = str(said.get("_shell_executable") or "sh")
    hides = _hides(command) or not _ONE_WORD.fullmatch(shell)
    alone = repr(others) if others else "hides" if hides else ""
    return Question(command.get_raw_value(), privilege, int(arguments.get("_timeout") or ASK_SECONDS), alone)


def _hides(command: StringCommand) -> bool:
    """Whether any word of it is not to be shown."""
    for bit in command.bits:
        inner = bit.obj if isinstance(bit, QuoteString) else bit
        if isinstance(inner, HiddenValue | MaskString) or (isinstance(inner, StringCommand) and _hides(inner)):
            return True
    return False


SOME = 16
"""Questions that share a time limit, which is thought of for one: to give each a process that watches it costs a host
half as much again as asking does."""

_TOLD = """\
told() {
  printf '\\n%s %s\\n' "$mark" "$1"
  printf '\\n%s %s\\n' "$mark" "$1" >&2
}
"""

# A function, so that nothing of a text that was cut off is run. It ends at a question whose time is up: what that has
# left running could talk into the answers of those behind it.
_BEGIN = f"""\
{_TOLD}ended() {{ [ "$1" = 0 ] || {{ told "$1"; told end; exit 0; }}; }}
together() {{
told begin
"""
# Both streams are gathered before they leave: each line would be a packet of its own, and there are two for a question.
# What gathers them ends at the last mark, and does not wait for what a question may have left running.
_END = """\
told end
}
gathered() { LC_ALL=C sed "/^$mark end\\$/q"; }
in_one() { { together 2>&1 >&3 3>&- | gathered >&2 3>&-; } 3>&1 | gathered; }
in_one
"""

_SIMPLE = re.compile(r"sh -c(?: (?:[\w@%+=:,./-]|'[^']*'|\"'\")+)+", re.ASCII)
"""What `script` makes: one program and its arguments, with nothing for the shell in between."""

_WORD = re.compile(r"(?:[^ '\"]|'[^']*'|\"'\")+")
_QUOTED = re.compile(r"'([^']*)'|\"(')\"")

_NAMES_ITS_SHELL = re.compile(r"\$\{?(?:\$|0|PPID)")
"""A script with its process or its name in it has a shell of its own."""


@lru_cache(maxsize=4096)  # hosts are asked much the same, and a text is asked for several times
def _script_of(words: str) -> Script | None:
    if not _SIMPLE.fullmatch(words):
        return None
    plain = [_QUOTED.sub(r"\1\2", word) for word in _WORD.findall(words)]
    text, rest = plain[2], plain[3:]
    return None if _NAMES_ITS_SHELL.search(text) else Script(text, tuple(rest[1:]))


MOST_AT_ONCE = 64
"""Questions that one script answers."""


def in_order(questions: Iterable[Question]) -> list[Question]:
    """Those that one script answers stand together, where the first of them stood."""
    groups: dict[object, list[Question]] = {}
    for each in questions:
        groups.setdefault(_kind(each) or each, []).append(each)
    return [each for group in groups.values() for each in group]


def _kind(question: Question) -> str:
    """The script that answers it together with others; empty where there is none."""
    script = question.script
    can = script is not None and script.text in ALL_AT_ONCE and question.seconds == ASK_SECONDS
    return script.text if script and can else ""


def text(mark: str, questions: Sequence[Question], limit: float, some: int = SOME) -> bytes:
    """What a shell reads that asks all of them, one after the other, `some` of them for at most `limit` seconds.

    The mark parts the answers; nobody may be able to guess it.
    """
    is_mark = f"{StringCommand('mark=', QuoteString(mark), _separator='').get_raw_value()}\n"
    parts = [is_mark, _BEGIN]
    for few in _by_few(questions, some):
        seconds = str(max(1, int(min(limit, *(each.seconds for group in few for each in group)))))
        begin = StringCommand("timeout", "--kill-after=10", seconds, QuoteString(few[0][0].shell)).get_raw_value()
        parts += [f"{begin} <<'end-{mark}'\n", is_mark, _TOLD, *_asked(few), f"exit 0\nend-{mark}\nended $?\n"]
    return "".join([*parts, _END]).encode()


Group = list[Question]
"""Questions that one script answers; most often it is one."""


def _by_few(questions: Sequence[Question], some: int) -> Iterator[list[Group]]:
    """One that names a limit of its own has it for itself."""
    few: list[Group] = []
    for group in _groups(questions, MOST_AT_ONCE if some > 1 else 1):
        is_apart = group[0].seconds != ASK_SECONDS
        if few and (is_apart or len(few) == some or few[-1][0].seconds != ASK_SECONDS):
            yield few
            few = []
        few.append(group)
    if few:
        yield few


def _groups(questions: Sequence[Question], most: int) -> Iterator[Group]:
    group: Group = []
    for each in questions:
        if group and (len(group) == most or not _kind(each) or _kind(each) != _kind(group[0])):
            yield group
            group = []
        group.append(each)
    if group:
        yield group


def _asked(few: Iterable[Group]) -> Iterator[str]:
    """The lines of some groups. A script's text stands there once, and is run in a fork of the shell that reads this.

    To start a shell for each would cost a host more than most of the answers do.
    """
    texts: dict[str, str] = {}
    """Script to the name of the variable that holds it."""
    asked = [line for group in few for line in _lines(group, texts)]
    for script, name in texts.items():
        yield StringCommand(f"{name}=", QuoteString(script), "\n", _separator="").get_raw_value()
    yield from asked


def _lines(group: Group, texts: dict[str, str]) -> list[str]:
    lines = [f"{_command(each, texts)} < /dev/null\ntold $?\n" for each in group]
    scripts = [each.script for each in group if each.script]
    if len(group) == 1 or len(scripts) < len(group):
        return lines
    at_once = Script(ALL_AT_ONCE[scripts[0].text], tuple(word for each in scripts for word in each.arguments))
    # One that cannot answer all of them says so before it has told any: then each is asked as if by itself.
    return [f"{_forked(at_once, texts)} < /dev/null || {{\n", *lines, "}\n"]


def _command(question: Question, texts: dict[str, str]) -> str:
    if question.script:
        return _forked(question.script, texts, "unset -v mark; unset -f told; ")
    if _SIMPLE.fullmatch(question.words):
        return question.words
    return StringCommand(question.shell, "-c", QuoteString(question.words)).get_raw_value()


def _forked(script: Script, texts: dict[str, str], first: str = "") -> str:
    name = texts.setdefault(script.text, f"slipway_{len(texts)}")
    arguments = StringCommand("set", "--", *map(QuoteString, script.arguments)).get_raw_value()
    return f'({first}{arguments}; eval "${name}")'


def answers(mark: str, output: CommandOutput, count: int) -> list[Answer]:
    """The answers that have come whole, in the order of their questions; none where there are more than `count`."""
    stdout, stderr = _parted(mark, output.stdout_lines), _parted(mark, output.stderr_lines)
    found: list[Answer] = []
    if max(len(stdout), len(stderr)) > count:
        return found
    for (code, said), (other, complained) in zip(stdout, stderr, strict=False):
        if code != other:
            break  # somebody has put a line between: nothing from here on is certain
        found.append(Answer(code, tuple(said), tuple(complained)))
    return found


def _parted(mark: str, lines: Iterable[str]) -> list[tuple[int, list[str]]]:
    """Exit code and lines of each answer. What was said before the first question is no answer."""
    found: list[tuple[int, list[str]]] = []
    said: list[str] | None = None
    for line in lines:
        if not line.startswith(f"{mark} "):
            if said is not None:
                said.append(line)
            continue
        word = line.removeprefix(f"{mark} ")
        if said is not None and word.isdecimal():
            found.append((int(word), _without_ours(said)))
        said = []
    return found


def _without_ours(said: list[str]) -> list[str]:
    """Without the end of line before each mark, which ends a last line that has none of its own."""
    return said[:-1] if said and not said[-1] else said
