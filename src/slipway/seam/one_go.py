"""Many changes in one command: what goes up for it, and what became of each. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pyinfra.api import QuoteString, StringCommand
from pyinfra.connectors.util import CommandOutput

from slipway.facts.files import script
from slipway.seam.together import Answer, answers


@dataclass(frozen=True)
class Change:
    """A command that changes something, as it would go up by itself."""

    words: str
    stdin: bytes = b""
    seconds: int = 0
    """Its own time limit."""
    shell: str = "sh"


# The program comes on standard input, too: its texts would not fit a command line. `dd` takes not a byte more than it
# is told to, so that each command finds its own input; whole and at once, so that one that reads none leaves none. It
# waits no longer than a command may take: a controller that stands still would hold up whoever has the lock by then.
_READ = 'eval "$(timeout "$2" dd bs="$1" count=1 iflag=fullblock status=none)"'

# A function, so that nothing of a program that was cut off is run. Nothing is begun behind one that failed, nor when
# nobody listens any more: a run whose controller is gone ends with the command in hand.
_BEGIN = """\
told() { printf '\\n%s %s\\n' "$mark" "$1" && printf '\\n%s %s\\n' "$mark" "$1" >&2 || exit 74; }
ended() { told "$1"; [ "$1" = 0 ] || exit 0; }
together() {
told begin
"""
_END = "}\ntogether"


def in_one_go(mark: str, changes: Sequence[Change]) -> tuple[StringCommand, bytes]:
    """The command that runs them in order up to the first that fails, and its standard input.

    Each has its own input, byte for byte, and its own time limit. The mark parts what they say; nobody may be able to
    guess it.
    """
    is_mark = f"{StringCommand('mark=', QuoteString(mark), _separator='').get_raw_value()}\n"
    program = "".join([is_mark, _BEGIN, *map(_lines, changes), _END]).encode()
    seconds = str(max(int(each.seconds) for each in changes))
    command = script(_READ, str(len(program)), seconds, f"{len(changes)} changes in one go")
    return command, b"".join([program, *(each.stdin for each in changes)])


def _lines(change: Change) -> str:
    limit = int(change.seconds)
    limited = f"timeout --kill-after=10 {limit}"
    words = StringCommand(limited, QuoteString(change.shell), "-c", QuoteString(change.words)).get_raw_value()
    if not change.stdin:
        return f"{words} < /dev/null\nended $?\n"
    read = f"timeout {limit} dd bs={len(change.stdin)} count=1 iflag=fullblock status=none"
    return f"{read} | {words}\nended $?\n"


def outcomes(mark: str, count: int, is_ok: bool, output: CommandOutput) -> Iterator[Answer | None]:
    """What became of each, in order, up to the first that failed; those behind it were not begun.

    + is_ok: whether the command as a whole ended well

    None stands for one of which nobody can tell how it ended; it is the last.
    """
    told = answers(mark, output, count)
    yield from told
    if len(told) == count or (told and told[-1].code != 0):
        return
    if is_ok:
        yield None
    else:  # it was refused or killed as a whole: what it said besides is why
        yield Answer(1, _besides(mark, output.stdout_lines), _besides(mark, output.stderr_lines))


def _besides(mark: str, lines: Sequence[str]) -> tuple[str, ...]:
    """What was said since the last answer."""
    last = max((number for number, line in enumerate(lines) if line.startswith(f"{mark} ")), default=-1)
    return tuple(lines[last + 1 :])
