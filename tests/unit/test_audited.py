"""What the audits of several hosts say together."""

from __future__ import annotations

from typing import Any

from slipway.audited import audit
from slipway.engine.audit import Entry, begun, ended, ending_of
from slipway.facts.audit import Audited, AuditFact
from slipway.problems import BadInput, Problem


def line(identity: str, **said: Any) -> dict[str, Any]:
    return {"id": identity, **said}


def begin(identity: str, **said: Any) -> dict[str, Any]:
    return line(identity, command="deploy", inventory="lab", who="ada@ops1", **{"from": "10.0.0.9"}, **said)


def test_a_run_is_one_line_whatever_number_of_hosts_it_touched() -> None:
    """With every host's view of where it came from."""
    found = audit({
        "web1": Audited((begin("a"), line("a", code=0, how="2 changes"))),
        "web2": Audited((begin("a"), line("a", code=0, how="2 changes"))),
    })  # fmt: skip
    assert [(each.id, each.hosts, each.ending) for each in found] == [
        ("a", {"web1": "10.0.0.9", "web2": "10.0.0.9"}, "0: 2 changes")
    ]


def test_runs_come_in_the_order_in_which_hosts_saw_them() -> None:
    """Whatever their clocks said: a run of one host stands where that host saw it."""
    found = audit({
        "web1": Audited((begin("a", at="3"), begin("c", at="1"))),
        "web2": Audited((begin("a", at="3"), begin("b", at="9"), begin("c", at="1"))),
    })  # fmt: skip
    assert [each.id for each in found] == ["a", "b", "c"]


def test_a_run_without_an_end_died_or_is_in_progress() -> None:
    """The lock that it still holds tells which."""
    found = audit({"web1": Audited((begin("dead"), begin("alive")), frozenset({"alive"}))})
    assert [each.ending for each in found] == ["did not end", "in progress"]


def test_an_end_that_one_host_was_not_told_is_said() -> None:
    """As when the connection to it broke."""
    found = audit({"web1": Audited((begin("a"), line("a", code=1, how="failed"))), "web2": Audited((begin("a"),))})
    assert [each.ending for each in found] == ["1: failed (unknown to web2)"]


def test_an_end_whose_beginning_has_gone_is_left_out() -> None:
    """The file was put aside between the two."""
    assert audit({"web1": Audited((line("a", code=0, how="x"),))}) == []


def test_what_a_host_says_is_text() -> None:
    """A compromised host's escapes reach no terminal, and odd types do no harm."""
    odd = {"id": "a", "command": "\x1b[2Jdeploy\n", "limit": 7, "code": "zero", "who": ["x"], "hosts": None}
    (found,) = audit({"web1": Audited((odd,))})
    assert (found.command, found.limit, found.code, found.who) == ("\\x1b[2Jdeploy\\n", (), None, "['x']")


def test_half_a_line_is_left_out() -> None:
    """And what is no record at all."""
    read = AuditFact().process(["held abc", 'line {"id": "a", "comm', "line 7", "line []", 'line {"id": "b"}'])
    assert read == Audited(({"id": "b"},), frozenset({"abc"}))


def test_lines_come_back_as_they_were_written() -> None:
    """What a run says of itself when it begins and ends."""
    said = Entry("rollback", "lab", ("web*",), ("web1",), "abc-dirty", "4f2c", "ada@ops1", "2026")
    lines = AuditFact().process([f"line {begun('a', said)}", f"line {ended('a', 1, 'x' * 999)}"]).lines
    (found,) = audit({"web1": Audited(lines)})
    assert (found.command, found.limit, found.commit, found.release) == ("rollback", ("web*",), "abc-dirty", "4f2c")
    assert found.how == "x" * 200


def test_an_ending_says_nothing_that_a_host_or_a_secret_said() -> None:
    """Only the kind of what went wrong."""
    assert ending_of(BadInput([Problem("a", "hunter2")])) == (2, "refused: 1 problems")
    assert ending_of(RuntimeError("hunter2")) == (1, "failed: RuntimeError")
    assert ending_of(SystemExit(143)) == (143, "terminated")
    assert ending_of(SystemExit("hunter2")) == (1, "ended")
