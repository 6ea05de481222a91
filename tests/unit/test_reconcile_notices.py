"""Messages about reconciles: told once when something begins and once when it ends, and never in between."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from slipway.reconcile.result import HostReport, Reconciliation
from slipway.reconcile.watched import told
from slipway.reconcile.watched.notices import MOST_LISTED, Concern, Notice, Seen, Told, notice_of
from slipway.reconcile.watched.seen import seen_by
from tests.reconcile_sample import BEGAN, DRIFT, HOLD, MODE, STOPPED, clean, found, mended, report, with_hosts, yielded

ANSWERS_NOT = HostReport("edge1", False, "no answer")


def with_drift(*differences: object) -> Reconciliation:
    return with_hosts(clean(), "found", edge1=report("edge1", *(differences or (DRIFT,))))


def notices(*runs: Reconciliation) -> list[Notice | None]:
    """What somebody is told by these runs, one after the other."""
    knows, heard = Told(), []
    for run in runs:
        notice, knows = notice_of(knows, seen_by(run, 24))
        heard.append(notice)
    return heard


def titles(*runs: Reconciliation) -> list[str]:
    return [notice.title.partition(": ")[2] if notice else "" for notice in notices(*runs)]


def test_fifty_runs_of_an_untouched_fleet_tell_nothing() -> None:
    """Nor does what is intended, known as noise, held for a while, or a run that yields."""
    calm = replace(found(), outcome="found", hosts=found().hosts[1:3])
    assert titles(*[clean()] * 50, yielded(), calm, clean()) == [""] * 53


def test_drift_is_told_when_it_begins_and_when_it_is_over() -> None:
    """However many runs see it in between, and however its words change."""
    again = with_drift(replace(DRIFT, what="content and mode"))
    assert titles(clean(), with_drift(), with_drift(), again, clean(), clean()) == [
        "",
        "1 new",
        "",
        "",
        "all clear",
        "",
    ]


def test_what_is_still_open_is_told_beside_what_is_new() -> None:
    """Somebody who reads only the last message knows how it stands."""
    last = notices(with_drift(), with_drift(DRIFT, MODE))[-1]
    assert last
    assert last.title == "slipway production: 1 new, 1 still open"
    assert last.body == (
        "New:\n- edge1 drift /etc/sudoers.d/90-slipway: mode 0644, wanted 0440\n"
        "Still open:\n- edge1 drift /etc/nginx/conf.d/api.conf: content"
    )


def test_a_host_that_is_not_seen_keeps_its_concerns() -> None:
    """Its drift is not over because nobody could look; it is told as over when somebody saw that it is."""
    away = with_hosts(clean(), "failed", edge1=ANSWERS_NOT)
    assert titles(with_drift(), away, with_drift(), clean()) == [
        "1 new",
        "1 new, 1 still open",
        "1 over, 1 still open",
        "all clear",
    ]


def test_a_run_that_yields_changes_nothing() -> None:
    """Somebody who deploys has not put anything right yet."""
    assert titles(with_drift(), yielded(), with_drift()) == ["1 new", "", ""]


def test_what_is_put_right_is_told_once_however_often_it_comes_back() -> None:
    """Another program that changes it back at every run costs one message, until there was a run without."""
    heard = titles(mended(), mended(), yielded(), mended(), clean(), mended())
    assert heard == ["1 put right", "", "", "", "", "1 put right"]


def test_a_failed_run_is_told_and_so_is_that_it_works_again() -> None:
    """A run that stopped before it looked says nothing of the hosts."""
    failed = replace(yielded(), outcome="failed", errors=("the record cannot be read",))
    first, second, third = notices(with_drift(), failed, with_drift())
    assert first and second and third
    assert (second.title, second.is_urgent) == ("slipway production: 1 new, 1 still open", True)
    assert (third.began, third.ended) == ((), ("failed: the record cannot be read",))


def test_a_hold_that_stands_too_long_is_told() -> None:
    """By then somebody has forgotten it."""
    early, late = (
        seen_by(with_hosts(clean(began), "clean", edge2=report("edge2", holds=(HOLD,))), 24)
        for began in (BEGAN, BEGAN + timedelta(hours=24))
    )
    assert early.concerns == ()
    assert [concern.kind for concern in late.concerns] == ["held"]
    assert "ada@ops1" in late.concerns[0].line


def test_a_hold_whose_beginning_cannot_be_read_counts_as_old() -> None:
    """What nobody can date is told rather than forgotten."""
    run = with_hosts(clean(), "clean", edge2=report("edge2", holds=(replace(HOLD, since="yesterday"),)))
    assert [concern.kind for concern in seen_by(run, 24).concerns] == ["held"]


def test_a_host_that_could_not_be_mended_is_told() -> None:
    """With what failed there, beside what still differs."""
    run = with_hosts(clean(), "failed", cache1=report("cache1", STOPPED, error="no space left"))
    lines = [concern.line for concern in seen_by(run, 24).concerns]
    assert lines == ["cache1 failed: no space left", "cache1 drift redis-server.service: stopped, wanted running"]


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("@everyone look", "@\u200beveryone look"),
        ("<!channel> <@U123> <http://x|y>", "<\u200b!channel> <\u200b@U123> <http://x|y>"),
        ("a\nb\x1b[31m\u202egnp", "a\\nb\\x1b[31m\\u202egnp"),
        ("postgresql@15-main.service", "postgresql@15-main.service"),
    ],
)
def test_what_a_host_says_calls_nobody(said: str, shown: str) -> None:
    """A file's name is text in a chat too, on one line."""
    assert Concern("drift", "web1", "x", said).line == f"web1 drift x: {shown}"


def test_a_message_stays_short() -> None:
    """Hundreds of differences are a few lines, and how many there are beside them."""
    many = tuple(Concern("drift", f"web{number}", "y" * 500, "z" * 500) for number in range(200))
    notice, _ = notice_of(Told(), Seen("lab", many))
    assert notice
    assert notice.body.count("\n") == MOST_LISTED + 1
    assert notice.body.endswith("and 192 more")
    assert len(notice.body) < 1900  # the shortest limit of the common chats is two thousand


def known() -> dict[str, Told]:
    return {"chat": notice_of(Told(), seen_by(with_drift(), 24))[1]}


def test_what_was_told_survives_the_run(tmp_path: Path) -> None:
    """In a file that only its owner reads."""
    told.write(tmp_path / "lab" / "told.json", known())
    assert told.read(tmp_path / "lab" / "told.json") == known()
    assert (tmp_path / "lab" / "told.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", ["", "{", "[]", '{"chat": 1}', '{"chat": {"concerns": []}}', "\udcff"])
def test_a_damaged_file_is_like_none(content: str, tmp_path: Path) -> None:
    """All that is open is told again: one message too many."""
    (tmp_path / "told.json").write_text(content, errors="surrogateescape")
    assert told.read(tmp_path / "told.json") == {}
