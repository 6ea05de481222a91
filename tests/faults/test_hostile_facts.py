"""Hostile facts: whatever a host answers is text. It is understood, or told as not understood; it never runs."""

from __future__ import annotations

import importlib
import io
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gevent.queue import Queue
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyinfra.api import FactBase
from pyinfra.connectors.util import CommandOutput, OutputLine

import slipway
from slipway.engine.declare import declare
from slipway.engine.inventory import find_inventory
from slipway.engine.progress import PlainProgress
from slipway.printable import LONGEST, in_one_line, printable
from slipway.problems import BadInput
from slipway.recorded import packed, recalled
from slipway.seam import streams
from slipway.seam.errors import FactFailed, RemoteFailed
from slipway.seam.facts import _processed
from slipway.terminal import Terminal
from tests.faults.hostile import HOSTILE
from tests.project import ROOT
from tests.wrong_project import wrong_project


def facts() -> Iterator[type[FactBase[Any]]]:
    """Every fact of Slipway: a new one is tried by existing."""
    for module in pkgutil.walk_packages(slipway.__path__, "slipway."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    yield from sorted(subclasses(FactBase), key=lambda each: each.__name__)


def subclasses(kind: type[Any]) -> set[type[Any]]:
    found = {each for child in kind.__subclasses__() for each in {child, *subclasses(child)}}
    return {each for each in found if each.__module__.startswith("slipway.") and "abstract" not in each.__dict__}


FACTS = list(facts())

MILLIONS = "\x1b[31m" + "A" * 5_000_000
"""Five megabytes in one line."""

LINES = [
    *HOSTILE, "", "absent", "down", "here", "{}", "[]", "null", '{"name": 1}', "container {}", "image a b", "log",
    "journal", "record {", 'record {"id": "x"}', "current ../../../etc/shadow", "wanted x", "entry f|644|0:0|x",
    "live ..", "1 2 3", "active", "-1", "1e999", "nan", "0" * 5000, "a|b|c|d", "a\tb\tc\td\te",
    "root:x:0:0:root:/root:/bin/sh",
    "distribution=debian", "memory_kb=x", "cpus=-1", "own", "shared", "answers",
]  # fmt: skip
"""What a fake program may print: hostile text, and answers that are nearly right."""


def output_of(lines: list[str]) -> CommandOutput:
    return CommandOutput([OutputLine("stdout", line) for line in lines])


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.__name__)
def test_any_answer_is_understood_or_told(fact: type[FactBase[Any]]) -> None:
    """No answer ends in anything but a value or the host's own error, whose text can be printed and is short."""

    @settings(max_examples=25, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(st.sampled_from(LINES), min_size=1, max_size=6))
    def answered(lines: list[str]) -> None:
        understand(fact, lines)

    answered()
    understand(fact, [MILLIONS])


def understand(fact: type[FactBase[Any]], lines: list[str]) -> None:
    try:
        _processed(fact(), output_of(lines))
    except FactFailed as error:
        told = printable(str(error))
        assert len(told) < LONGEST + 100
        assert all(each.isprintable() or each in "\n\t" for each in told)


def test_there_are_facts_to_try() -> None:
    """The list is made from the code; were it empty, nothing above would be tried."""
    assert len(FACTS) > 25


def test_control_characters_are_written_out() -> None:
    """A title, a cleared screen, a turned direction of writing and a half pair show as what they are."""
    assert printable("a\x1b[2J\x07b\u202ec\ud800\r\n\td") == "a\\x1b[2J\\x07b\\u202ec\\ud800\\r\n\td"
    assert in_one_line("a\n\tb") == "a\\n\\tb"
    assert printable("Grüße, 世界 🙂") == "Grüße, 世界 🙂"
    assert printable("A" * 5_000_000) == "A" * LONGEST + "... (5000000 characters)"


def test_a_table_and_a_line_cannot_be_steered(capsys: pytest.CaptureFixture[str]) -> None:
    """What a host said stands in a table, a styled text and a progress line with its control characters written out."""
    from rich.table import Table
    from rich.text import Text

    from slipway.engine.events import Event

    table = Table()
    table.add_column("Host")
    table.add_row("\x1b[2Jweb1[/]")
    terminal = Terminal(force_terminal=True, width=100)
    terminal.print(table)
    terminal.print(Text("\x1b]0;owned\x07", style="red"), "[bold]no markup[/bold]")
    PlainProgress()(Event("failure", "web1", what="\x1b[31mgone"))
    done = capsys.readouterr()
    assert "\x1b[2J" not in done.out and "\x1b]0" not in done.out and "\x07" not in done.out
    assert "\\x1b[2Jweb1[/]" in done.out and "[bold]no markup[/bold]" in done.out
    assert "\\x1b[31mgone" in done.err and "\x1b" not in done.err


def test_nothing_is_shown_past_the_terminal() -> None:
    """No module of the command line or the engine has a console of its own, on which text of hosts would steer."""
    own = re.compile(r"^from rich\.console import .*Console|\bConsole\(", re.MULTILINE)
    apart = {"terminal.py", "lab.py", "demo.py"}  # the lab tells of this machine, and asks no host
    paths = [path for path in (ROOT / "src/slipway").rglob("*.py") if path.name not in apart]
    assert [str(path.relative_to(ROOT)) for path in paths if own.search(path.read_text(encoding="utf-8"))] == []


ESCAPES = (
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ cycler.__init__.__globals__.os.popen('touch PWNED') }}",
    "{% for each in [].append.__self__.__class__.__base__.__subclasses__() %}{{ each }}{% endfor %}",
    "{{ lines.append.__func__.__globals__ }}",
)


@pytest.mark.tools
@pytest.mark.parametrize("escape", ESCAPES)
def test_a_template_on_record_runs_nothing_here(escape: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A release on record comes from hosts: a template of it that reaches for Python's inside is refused."""
    project = wrong_project(tmp_path)
    project.whole_deploy()
    monkeypatch.chdir(tmp_path)
    run = declare(find_inventory("fleet"), [tmp_path / "deploy.py"])
    assert run.entry is not None
    texts = {**run.entry.templates, "redis/users.acl.j2": escape.replace("PWNED", str(tmp_path / "pwned"))}
    records = {m.name: {**run.entry.on(m.name), "templates": packed(texts), "commit": "abc"} for m in run.fleet}
    with pytest.raises(BadInput) as refused:
        declare(find_inventory("fleet"), [tmp_path / "deploy.py"], recalled=recalled("abc", records))
    assert "on record: template" in str(refused.value)
    assert "is unsafe" in str(refused.value)
    assert not (tmp_path / "pwned").exists()


def test_what_a_command_said_is_shortened_where_it_failed() -> None:
    """A failed command's error has its last lines, and not five megabytes of them."""
    told = printable(str(RemoteFailed("web1", [MILLIONS, "\x1b[2Jlast"])))
    assert len(told) < LONGEST + 100
    assert "\x1b" not in told


@pytest.mark.parametrize(("said", "is_whole"), [(b"A" * 999, True), (b"A" * 5000, False), (b"a\n" * 5000, False)])
def test_a_host_that_never_stops_is_not_listened_to_for_ever(
    said: bytes, is_whole: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One endless line, or lines without end: no more is kept than one command may say."""
    monkeypatch.setattr(streams, "MOST_BYTES", 1000)
    lines: Queue[OutputLine] = Queue()
    assert streams.read_lines(io.BytesIO(said), "stdout", lines, lambda line: None) is is_whole
    assert sum(len(line.line) for line in lines.queue) <= 1000
