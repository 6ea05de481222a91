"""The page of a reconcile: nothing that it found is missing, nothing that a host says is more than text."""

from __future__ import annotations

import json
import re
import stat
import xml.etree.ElementTree as ET
from dataclasses import fields, replace
from datetime import timedelta
from pathlib import Path

import pytest

from slipway.holds import Hold
from slipway.reconcile.report import Line, history, keep, last_seen, page
from slipway.reconcile.report.history import FILE, MOST_LINES, line_of, mended_in_a_row, note
from slipway.reconcile.report.shown import MOST_LISTED, SIGNS
from slipway.reconcile.result import Difference, HostReport, Reconciliation
from slipway.timeline import picture_of
from tests.reconcile_sample import BEGAN, DRIFT, clean, found, large, mended, report, with_hosts, yielded
from tests.timeline_sample import well
from tests.unit.test_timeline import HOSTILE, XHTML, everything_in

SAMPLES = {"clean": clean, "found": found, "mended": mended, "yielded": yielded, "large": lambda: large(40, 20)}


def read(text: str) -> ET.Element:
    """A page, as strictly as XML is read."""
    return ET.fromstring(text)  # noqa: S314 - our own page


def parsed(run: Reconciliation) -> ET.Element:
    return read(page(run, picture=picture_of(well().lines())))


def classes(root: ET.Element, name: str) -> list[str]:
    """Texts of the elements that have this class."""
    return [everything_in(each) for each in root.iter() if name in each.get("class", "").split()]


def test_every_difference_is_there_with_its_kind_and_its_diff() -> None:
    """Host, thing, what about it, role, operation, and whether it is held or was mended."""
    text = everything_in(parsed(found()))
    differences = [each for host in found().hosts for each in host.differences]
    assert len(differences) == 9
    for each in differences:
        assert all(words in text for words in (each.subject, each.what, each.role, each.operation))
        assert all(line in text for line in each.diff.splitlines())
        assert each.reason in text
    kinds = [kind.split(" ", 1)[1] for kind in classes(parsed(found()), "kind")]
    assert kinds == ["drift", "owed", "noise", "held", "intended", "noise", "mended", "intended", "drift"]


def test_the_fleet_is_told_at_a_glance() -> None:
    """Every host with the most pressing of what it has, in inventory order; a host that was not seen stands out."""
    tiles = [each for each in parsed(found()).iter(f"{XHTML}li") if "tile" in each.get("class", "")]
    states = [each.get("class", "").split()[1] for each in tiles]
    assert states == ["drift", "held", "intended", "mended", "unseen", "well", "failed"]
    text = everything_in(parsed(found()))
    assert "no answer from 10.0.0.23" in text
    assert found().notes[0] in text


@pytest.mark.parametrize("name", SAMPLES)
def test_the_page_needs_nothing_but_itself(name: str) -> None:
    """No script, no link but to itself and to other runs beside it, no picture from elsewhere."""
    run = SAMPLES[name]()
    text = page(run, (line_of(run),), picture=picture_of(well().lines()))
    assert re.findall(r"<script|<link|<img|<iframe|\bon[a-z]+=|src=|url\(|@import|javascript:", text) == []
    assert set(re.findall(r"https?://[^\"]*", re.sub(r"<pre.*?</pre>", "", text, flags=re.S))) == {
        "http://www.w3.org/1999/xhtml"
    }
    assert all(re.fullmatch(r"#host-\d+", target) for target in re.findall(r'href="([^"]*)"', text))


def test_what_hosts_say_is_text() -> None:
    """Markup, templates and control characters in any field are shown, and nothing else comes of them."""
    texts = {field.name: HOSTILE for field in fields(Difference) if field.type == "str"}
    difference = Difference(**{**texts, "kind": "drift", "diff": f"-{HOSTILE}\n+{HOSTILE}"})
    hold = Hold(HOSTILE, "file", *[HOSTILE] * 5)
    host = HostReport(HOSTILE, True, HOSTILE, HOSTILE, (difference,), (hold,), HOSTILE)
    run = Reconciliation(HOSTILE, "failed", "none", *[HOSTILE] * 5, hosts=(host,), errors=(HOSTILE,), notes=(HOSTILE,))
    root = read(page(run, [Line(HOSTILE, HOSTILE, 1.0, HOSTILE)], [HOSTILE]))
    tags = {element.tag.removeprefix(XHTML) for element in root.iter()}
    assert tags.isdisjoint({"script", "img", "iframe"})
    text = everything_in(root)
    assert "<script>alert(1)</script>" in text
    assert "{{ 7*7 }}" in text
    assert "\u202e" not in text


def test_a_page_of_thousands_says_how_many_more_there_are() -> None:
    """It stays one that a phone can show; the JSON has all of them."""
    text = page(large(50, 40))
    assert f"{2000 - MOST_LISTED} more differences are in the JSON" in text
    assert len(text.encode()) < 400_000


def test_a_diff_without_an_end_is_cut() -> None:
    """A line of a megabyte, and ten thousand lines, do not fill the page."""
    diff = "+" + "x" * 1_000_000 + "\n" + "+y\n" * 10_000
    run = with_hosts(clean(), "found", edge1=report("edge1", replace(DRIFT, diff=diff)))
    text = page(run)
    assert len(text) < 60_000
    assert "9601 more lines are in the JSON" in text


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        ("clean", "Nothing differs: 7 hosts are as released."),
        ("mended", "1 was put right."),
        ("yielded", "Somebody else was at work on these hosts: nothing was looked at, nothing was touched."),
        (
            "found",
            "1 host was not seen, 3 differences are to be put right, 1 is held, 1 was put right, 2 wait for a deploy, "
            "2 are known noise.",
        ),
    ],
)
def test_the_verdict_is_one_sentence(name: str, verdict: str) -> None:
    """For somebody who reads no further."""
    assert classes(parsed(SAMPLES[name]()), "verdict") == [verdict]


def test_runs_are_kept_whole_and_for_nobody_else(tmp_path: Path) -> None:
    """Page and JSON are named after when and how it ended; `latest` leads to both; modes keep others out."""
    written = keep(found(), tmp_path, 5)
    assert written == tmp_path / "production" / "20261120T140000Z-failed.html"
    assert Reconciliation.from_json(written.with_suffix(".json").read_text()) == found()
    assert (written.parent / "latest.html").resolve() == written
    assert (written.parent / "latest.json").resolve() == written.with_suffix(".json")
    modes = {stat.S_IMODE(path.stat().st_mode) for path in written.parent.iterdir()}
    assert (modes, stat.S_IMODE(written.parent.stat().st_mode)) == ({0o600}, 0o700)


def test_calm_runs_do_not_push_out_the_others(tmp_path: Path) -> None:
    """Of each sort the newest are kept; of the rest there is a line; what is not ours stays."""
    (tmp_path / "production").mkdir()
    (tmp_path / "production" / "notes.html").write_text("mine")
    for number in range(12):
        began = BEGAN + number * timedelta(minutes=15)
        keep(found(began) if number in (1, 2) else clean(began), tmp_path, 3)
    ours = tmp_path / "production"
    pages = sorted(path.name for path in ours.glob("2*.html"))
    assert pages == [
        *("20261120T141500Z-failed.html", "20261120T143000Z-failed.html"),
        *(f"20261120T16{minute}Z-clean.html" for minute in ("1500", "3000", "4500")),
    ]
    assert sorted(path.stem for path in ours.glob("2*.json")) == [name.removesuffix(".html") for name in pages]
    assert (ours / "notes.html").read_text() == "mine"
    assert [line.outcome for line in history(ours)] == ["clean", "failed", "failed", *["clean"] * 9]


def test_the_page_leads_to_runs_that_have_one(tmp_path: Path) -> None:
    """Each of its links leads to a file that is there; calm runs that followed one another are one row."""
    for number in range(8):
        began = BEGAN + number * timedelta(minutes=15)
        last = keep(mended(began) if number in (0, 4) else clean(began), tmp_path, 2)
    targets = set(re.findall(r'href="([^#"][^"]*)"', last.read_text()))
    assert targets == {path.name for path in last.parent.glob("2*.html")} - {last.name}
    rows = [everything_in(row) for row in read(last.read_text()).iter(f"{XHTML}tr")]
    assert [row[:12] for row in rows[1:]] == ["✓ clean × 32", "✓ mended2026", "✓ clean × 32", "✓ mended2026"]


def test_history_survives_a_damaged_line_and_stays_short(tmp_path: Path) -> None:
    """Half a line that a full disk left costs that line alone; the oldest go."""
    lines = [replace(line_of(clean()), stem=str(number)) for number in range(MOST_LINES + 10)]
    note(tmp_path, lines)
    with (tmp_path / FILE).open("a") as file:
        file.write('{"stem": "x"}\n[]\n{"stem": 1, "began": 2, "seconds": 3, "outcome": 4}\n{"st')
    assert history(tmp_path) == lines[10:]
    assert history(tmp_path / "nowhere") == []


def test_runs_that_mended_in_a_row_are_counted() -> None:
    """One that yielded neither counts nor ends the row."""
    row = [line_of(each) for each in (mended(), clean(), mended(), yielded(), mended())]
    assert [mended_in_a_row(row[:length]) for length in range(6)] == [0, 1, 0, 1, 1, 2]


def test_the_last_run_that_saw_hosts_is_known_after_one_that_yielded(tmp_path: Path) -> None:
    """What it saw holds on."""
    keep(found(), tmp_path, 5)
    keep(yielded(BEGAN + timedelta(minutes=15)), tmp_path, 5)
    assert last_seen("production", tmp_path) == found()
    (tmp_path / "production" / "seen.json").write_text(json.dumps({}))
    assert last_seen("production", tmp_path) is None


def test_no_two_signs_look_alike_by_colour_alone() -> None:
    """Every kind of difference has a shape of its own."""
    shapes = [SIGNS[sign][0] for sign in ("unseen", "drift", "owed", "held", "mended", "intended", "noise")]
    assert len(set(shapes)) == len(shapes)
