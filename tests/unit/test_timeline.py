"""The picture of a run: nothing that happened is missing, nothing that a host says is more than text."""

from __future__ import annotations

import io
import json
import re
import stat
import time
import xml.etree.ElementTree as ET
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from slipway.engine.events import Event
from slipway.engine.execute import HostResult, Result
from slipway.engine.progress import JsonProgress
from slipway.timeline import Picture, Timeline, as_json, page, picture_of, reports_of, run_end, write
from slipway.timeline.chart import BAR, PAD, UNITS, Chart, chart_of, clock, duration
from slipway.timeline.page import MOST_SAID
from slipway.timeline.reports import KEPT
from tests.timeline_sample import LOG, NEW, OLD, RUNS, STAGE, Told, bad, killed, large, well

XHTML = "{http://www.w3.org/1999/xhtml}"
SAMPLES = {**RUNS, "large": lambda: large(20, 40)}
HOSTILE = "<script>alert(1)</script>\"'&amp;]]>--><img src=x onerror=alert(1)>\x00\x1b[31m\u202egnp\ud800{{ 7*7 }}"


def parsed(picture: Picture) -> ET.Element:
    """The page, read as strictly as XML is."""
    return ET.fromstring(page(picture))  # noqa: S314 - our own page


def everything_in(element: ET.Element) -> str:
    return "".join(element.itertext())


def titles(root: ET.Element) -> list[str]:
    """The hover titles of all bars."""
    return [path[0].text or "" for path in root.iter(f"{XHTML}path") if len(path)]


def roll(picture: Picture) -> Chart:
    """The drawing of the roll."""
    return chart_of(next(stage for stage in picture.stages if stage.name == STAGE), picture)


def one_stage(told: Told, *, hosts: list[str] | None = None) -> Picture:
    """The picture of these steps alone."""
    lines = Told()
    lines.tell("stage-start", stage=STAGE, details={"hosts": hosts or ["web1"]})
    lines.events += told.events
    return picture_of(lines.lines())


def test_a_run_is_told_whole() -> None:
    """Who, when, where, from what to what, how it went and how long it took."""
    picture = picture_of(well().lines())
    assert (picture.what, picture.inventory, picture.who) == ("deploy", "production", "kim@build1")
    assert (picture.commit, picture.started) == ("9f31c2d07a55", "2026-07-24T16:41:07+02:00")
    assert (picture.release, picture.before, picture.outcome, picture.changed) == (NEW, OLD, "", 9)
    assert [stage.name for stage in picture.stages] == ["Converge", "Migrate", STAGE]
    assert [stage.seconds for stage in picture.stages[:2]] == [12.6, 4.4]
    assert [host.outcome for host in picture.hosts] == ["unchanged", "unchanged", "changed", "changed", "changed"]


def test_batches_have_their_hosts_times_and_overhead() -> None:
    """A batch says what it took beyond what its containers needed."""
    batches = picture_of(well().lines()).stages[-1].batches
    assert [(batch.number, batch.hosts, batch.overhead) for batch in batches] == [
        (1, ("worker1",), 0.41),
        (2, ("worker2",), 0.42),
        (3, ("worker3",), 0.43),
    ]
    assert all(batch.end <= later.at for batch, later in pairwise(batches))


@pytest.mark.parametrize("name", SAMPLES)
def test_every_step_is_on_the_page(name: str) -> None:
    """A bar with its words for each step that was told, however many there are."""
    told = SAMPLES[name]()
    steps = [event for _, event in told.events if event.kind == "step"]
    found = [title.partition(" at ")[0] for title in titles(parsed(picture_of(told.lines())))]
    said = [f"{event.what} {event.details['subject']}".strip() for event in steps]
    wanted = [f"{words}: {duration(event.seconds)}" for words, event in zip(said, steps, strict=True)]
    assert len(wanted) > 10
    assert sorted(found) == sorted(wanted)


@pytest.mark.parametrize("name", SAMPLES)
def test_the_page_needs_nothing_but_itself(name: str) -> None:
    """No script, no link, no picture from elsewhere: it can be sent as one file and read years later."""
    text = page(picture_of(SAMPLES[name]().lines()))
    assert re.findall(r"<script|<link|<img|<iframe|\bon[a-z]+=|href=|src=|url\(|@import", text) == []
    assert set(re.findall(r"https?://[^\"]*", text)) == {"http://www.w3.org/1999/xhtml"}


def test_fifty_hosts_with_forty_steps_each_are_a_page_for_a_phone() -> None:
    """The page of a large roll stays under 200 kB, each of its 2000 steps on it."""
    text = page(picture_of(large(50, 40).lines()))
    assert len(text.encode()) < 200_000
    assert len(titles(ET.fromstring(text))) == 2000  # noqa: S314 - our own page


def test_what_hosts_say_is_text() -> None:
    """Markup, templates and control characters in any name or message are shown, and nothing else comes of them."""
    told = Told()
    details = dict.fromkeys(("inventory", "who", "commit", "release", "started"), HOSTILE)
    told.tell("run-start", what=HOSTILE, details=details)
    told.tell("stage-start", stage=HOSTILE, details={"hosts": [HOSTILE, "idle"]})
    fields = {"at": 0.0, "subject": HOSTILE, "batch": 1}
    told.now = 9.0
    told.tell("step", stage=HOSTILE, host=HOSTILE, what=HOSTILE, seconds=9.0, outcome="failed", details=fields)
    told.tell("failure", stage=HOSTILE, host=HOSTILE, what=HOSTILE)
    batch = {"number": 1, "hosts": [HOSTILE], "at": 0, "seconds": 9.0, "overhead": 0.1, "outcome": HOSTILE}
    told.tell("roll-end", stage=HOSTILE, details={"batches": [batch], "release": HOSTILE, "before": HOSTILE + "2"})
    told.tell("stage-end", stage=HOSTILE, outcome=HOSTILE, seconds=9.0)
    told.end({HOSTILE: {"error": HOSTILE}}, HOSTILE)
    root = parsed(picture_of(told.lines()))
    assert {element.tag.removeprefix(XHTML) for element in root.iter()} & {"script", "img"} == set()
    assert [name for element in root.iter() for name in element.keys() if name.startswith("on")] == []  # noqa: SIM118
    shown = re.sub("[\0\x1b\u202e\ud800]", "�", HOSTILE)
    assert everything_in(root.find(f".//{XHTML}pre")) == shown
    assert titles(root) == [f"{shown} {shown}: 9.0 s at 0 s"]


def test_a_failed_run_says_what_failed_and_who_was_not_reached() -> None:
    """The error in full, a mark where it happened, the way back, and the names of those left as they were."""
    picture = picture_of(bad().lines())
    assert (picture.outcome, picture.stopped_in) == ("failed", STAGE)
    assert [(failure.host, failure.stage, failure.text) for failure in picture.failures] == [("worker2", STAGE, LOG)]
    rows = {row.name: row for row in roll(picture).rows}
    assert [row.remark for row in rows.values()] == ["", "failed", "not reached", "not reached"]
    ready = next(step for step in picture.stages[-1].steps if step.host == "worker2" and step.what == "ready")
    assert picture.failures[0].at == ready.end
    assert [words for _, words in rows["worker2"].marks] == [LOG.partition("\n")[0]]
    assert "revert" in dict(rows["worker1"].bars)
    root = parsed(picture)
    assert [everything_in(pre) for pre in root.iter(f"{XHTML}pre")] == [LOG]
    assert sum("✕" in (text.text or "") for text in root.iter(f"{XHTML}text")) == 1


def test_a_failure_that_only_an_event_told_is_kept() -> None:
    """What the end of the run repeats is told once; what it does not know is told beside it."""
    told = Told()
    told.tell("failure", host="web1", stage=STAGE, what="could not be taken back")
    told.tell("operation", host="web2", stage=STAGE, what="Replace the containers", outcome="failed")
    told.tell("operation", host="web2", stage=STAGE, what="Write nginx.conf", outcome="changed")
    told.end({"web1": {}, "web2": {"error": "Replace the containers: no such image"}}, STAGE)
    picture = picture_of(told.lines())
    assert [(failure.host, failure.text) for failure in picture.failures] == [
        ("web1", "could not be taken back"),
        ("web2", "Replace the containers: no such image"),
    ]
    assert picture.stages == ()


def test_a_log_of_a_megabyte_is_short_on_the_page_and_whole_in_the_json() -> None:
    """The page stays readable; nothing is lost."""
    told, text = Told(), "x" * 1_000_000
    told.end({"web1": {"error": text}}, STAGE)
    picture = picture_of(told.lines())
    said = everything_in(parsed(picture).find(f".//{XHTML}pre"))
    assert said == "x" * MOST_SAID + f"\n... {1_000_000 - MOST_SAID} more characters are in the JSON beside this page"
    assert json.loads(as_json(picture))["failures"][0]["text"] == text


def test_a_run_whose_controller_died_is_unfinished() -> None:
    """What was told until then is drawn, half a line is left out, and nobody is said to be well who was not seen."""
    lines = killed().lines()
    picture = picture_of([*lines, lines[-1][:40], "Traceback (most recent call last):\n", "[]", ""])
    assert picture == picture_of(lines)
    assert (picture.outcome, picture.stages[-1].outcome) == ("unfinished", "unfinished")
    assert [batch.outcome for batch in picture.stages[-1].batches] == ["", "unfinished"]
    assert [batch.hosts for batch in picture.stages[-1].batches] == [("worker1",), ("worker2",)]
    assert {row.name: row.remark for row in roll(picture).rows}["worker3"] == "nothing told"
    assert "unfinished" in everything_in(parsed(picture).find(f".//{XHTML}h1"))


@pytest.mark.parametrize("name", SAMPLES)
def test_a_listener_and_a_reader_of_the_json_lines_see_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever reads `--json` can draw what the controller's own report shows."""
    told, now = SAMPLES[name](), [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    stream = io.StringIO()
    listeners = (Timeline(), JsonProgress(stream))
    for at, event in told.events:
        now[0] = 1000.0 + at
        for listener in listeners:
            listener(event)
    assert listeners[0].picture == picture_of(stream.getvalue().splitlines()) == picture_of(told.lines())


def test_a_bar_stands_where_its_step_was() -> None:
    """Across, begin and length are the step's share of the time; the first begins at the left edge."""
    told = Told(now=50.0)
    told.step("web1", "stop", 2.5)
    told.now = 55.0
    told.step("web1", "ready", 5.0)
    rows = roll(one_stage(told)).rows
    bars = {kind: mine[0] for kind, mine in rows[0].bars}
    assert (bars["stop"].x, bars["ready"].x) == (0, UNITS // 2)
    assert bars["stop"].length == pytest.approx(UNITS / 4, abs=10)
    assert bars["ready"].length == pytest.approx(UNITS / 2, abs=10)
    assert bars["stop"].y == bars["ready"].y == PAD + BAR // 2


def test_what_a_host_does_at_once_lies_beneath_one_another() -> None:
    """No bar covers another of the same host, and each row is as high as it needs."""
    told = Told()
    told.together(lambda: told.step("web1", "start", 4), lambda: told.step("web1", "start", 6, subject="b"))
    told.step("web1", "seal", 1)
    told.step("web2", "start", 1)
    first, second = roll(one_stage(told, hosts=["web1", "web2"])).rows
    bars = {bar.title: bar for _, mine in first.bars for bar in mine}
    assert bars["start: 4.0 s at 0 s"].y != bars["start b: 6.0 s at 0 s"].y
    assert first.y + first.height == second.y
    assert first.height > second.height
    assert max(bar.y + BAR // 2 for bar in bars.values()) < first.height


@pytest.mark.parametrize("name", SAMPLES)
def test_nothing_is_drawn_beside_the_drawing(name: str) -> None:
    """Bars, bands, marks and ticks lie within the width, and none is too short to be seen."""
    chart = roll(picture_of(SAMPLES[name]().lines()))
    bars = [bar for row in chart.rows for _, mine in row.bars for bar in mine]
    assert all(bar.x >= 0 and bar.x + bar.length <= UNITS and bar.length > 0 for bar in bars)
    assert all(band.x >= 0 and band.x + band.length <= UNITS for band in chart.bands)
    assert all(0 <= x <= UNITS for row in chart.rows for x, _ in row.marks)
    assert all(0 <= x <= UNITS for x, _ in chart.ticks)
    assert 2 <= len(chart.ticks) <= 9


def test_hosts_stand_in_the_order_of_the_stage() -> None:
    """Inventory order, with those that had nothing to do; who is of no stage comes last, the whole fleet first."""
    told = Told()
    for host in ("edge1", "web3", "", "web1"):
        told.step(host, "gate", 1)
    told.end({name: {} for name in ("edge1", "web1", "web2", "web3")})
    rows = roll(one_stage(told, hosts=["web1", "web2", "web3"])).rows
    assert [(row.name, row.remark) for row in rows] == [
        ("", ""),
        ("web1", ""),
        ("web2", "nothing to do"),
        ("web3", ""),
        ("edge1", ""),
    ]


def test_hosts_are_told_in_the_order_of_the_stages_too() -> None:
    """web10 follows web9: JSON objects come sorted by name, the stages say how the inventory has them."""
    names = [f"web{number}" for number in (9, 10, 11)]
    told = Told()
    told.tell("stage-start", stage=STAGE, details={"hosts": names})
    told.end({name: {"error": name} for name in sorted(["web8", *names])}, STAGE)
    picture = picture_of(told.lines())
    assert [host.name for host in picture.hosts] == [*names, "web8"]
    assert [failure.host for failure in picture.failures] == [*names, "web8"]


def test_a_step_of_a_kind_that_nobody_knows_is_drawn_all_the_same() -> None:
    """A later version may have other steps: they look alike and keep their names."""
    told = Told()
    told.step("web1", "ponder", 1)
    told.step("web1", "restore", 1)
    chart = roll(one_stage(told))
    assert chart.kinds == ("admit", "other")
    assert [bar.title for _, mine in chart.rows[0].bars for bar in mine] == [
        "restore: 1.0 s at 1 s",
        "ponder: 1.0 s at 0 s",
    ]


def test_steps_that_took_no_time_are_drawn() -> None:
    """A roll that was over at once divides by nothing."""
    told = Told()
    told.step("web1", "gate", 0.0)
    assert [title.partition(" at ")[0] for title in titles(parsed(one_stage(told)))] == ["gate: 0.00 s"]


def test_durations_are_summed_for_each_host_and_kind() -> None:
    """Two containers' times add up in their column; the last column counts what happened at once only once."""
    told = Told()
    told.together(lambda: told.step("web1", "ready", 4), lambda: told.step("web1", "ready", 6, subject="b"))
    told.step("web1", "drain", 1.5)
    table = next(t for t in parsed(one_stage(told)).iter(f"{XHTML}table") if "durations" in t.get("class", ""))
    rows = [[everything_in(cell) for cell in row] for row in table]
    assert rows == [["Host", "drain", "ready", "in all"], ["web1", "1.5 s", "10.0 s", "7.5 s"]]


def test_a_run_without_a_roll_has_a_page() -> None:
    """A run that changed nothing, or failed before the roll, still says who, when and how it went."""
    told = Told()
    told.begin()
    told.end({"web1": {}})
    root = parsed(picture_of(told.lines()))
    assert "went well" in everything_in(root.find(f".//{XHTML}h1"))
    assert list(root.iter(f"{XHTML}svg")) == []
    assert parsed(picture_of([])) is not None


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        *((0, "0.00 s"), (0.04, "0.04 s"), (0.996, "1.0 s"), (12.34, "12.3 s"), (99.94, "99.9 s")),
        *((100, "1 min 40 s"), (125.4, "2 min 05 s"), (3599.6, "1 h 00 min"), (3900, "1 h 05 min")),
    ],
)
def test_a_duration_reads(seconds: float, said: str) -> None:
    """As short as it can be without hiding what matters."""
    assert duration(seconds) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s"), (4.53, "4.5 s"), (59.97, "1:00"), (60, "1:00"), (65, "1:05"), (3605, "1:00:05")],
)
def test_a_moment_reads(seconds: float, said: str) -> None:
    """Counted from the beginning."""
    assert clock(seconds) == said


def test_the_report_lies_under_its_inventory_for_nobody_else_to_read(tmp_path: Path) -> None:
    """Page and JSON are named after when and what, in UTC, and `latest.html` leads to the page."""
    picture = picture_of(well().lines())
    written = write(picture, tmp_path / "reports")
    assert written == tmp_path / "reports" / "production" / f"20260724T144107Z-{NEW}.html"
    assert written.read_text(encoding="utf-8") == page(picture)
    assert written.with_suffix(".json").read_text(encoding="utf-8") == as_json(picture)
    assert (written.parent / "latest.html").resolve() == written
    modes = {stat.S_IMODE(path.stat().st_mode) for path in written.parent.iterdir()}
    assert (modes, stat.S_IMODE(written.parent.stat().st_mode)) == ({0o600}, 0o700)


def test_the_newest_reports_are_kept_and_nothing_of_others_is_touched(tmp_path: Path) -> None:
    """Of more than twenty the oldest go, page and JSON; a file that is no report of ours stays."""
    directory = reports_of("production", tmp_path)
    directory.mkdir()
    (directory / "notes.html").write_text("mine")
    (directory / "20200101T000000Z-ours-not.txt").write_text("mine")
    first = picture_of(well().lines())
    for day in range(1, KEPT + 4):
        write(replace(first, started=f"2026-07-{day:02d}T12:00:00+00:00"), tmp_path)
    found = sorted(path.name for path in directory.iterdir())
    wanted = [f"202607{day:02d}T120000Z-{NEW}.{end}" for day in range(4, KEPT + 4) for end in ("html", "json")]
    assert found == sorted([*wanted, "latest.html", "notes.html", "20200101T000000Z-ours-not.txt"])
    assert (directory / "latest.html").resolve().name == f"202607{KEPT + 3:02d}T120000Z-{NEW}.html"


@pytest.mark.parametrize("name", ["../../etc", "/etc/passwd", "inventories/lab.py", "..", "", "a\0b", "ü" * 300])
def test_no_name_leads_out_of_the_directory(name: str, tmp_path: Path) -> None:
    """An inventory given as a path, or a release with slashes, is a name within our directory all the same."""
    written = write(replace(picture_of(well().lines()), inventory=name, release=name), tmp_path / "reports")
    assert written.resolve().parent.parent == tmp_path / "reports"
    assert [path.name for path in tmp_path.iterdir()] == ["reports"]


def test_a_report_is_written_anew_over_one_of_the_same_second(tmp_path: Path) -> None:
    """Two runs of one second, or one that is written twice, leave one whole page."""
    picture = picture_of(well().lines())
    assert write(picture, tmp_path) == write(replace(picture, outcome="failed"), tmp_path)
    assert len(list((tmp_path / "production").iterdir())) == 3


def test_the_end_of_a_run_says_what_became_of_each_host(tmp_path: Path) -> None:
    """The event made of the result is all that a report needs to tell how the run went."""
    hosts = {"web1": HostResult(changed=2), "web2": HostResult(error="Start web: no such image"), "web3": HostResult()}
    timeline = Timeline()
    timeline(Event("run-start", what="rollback", details={"inventory": "lab", "release": OLD}))
    hosts["web4"] = HostResult(changed=1)
    result = Result(hosts, stopped_in=STAGE, untouched=("web3",), taken_back=("web4",), aborted="aborted by kim@build1")
    timeline(run_end(result))
    picture = timeline.picture
    assert [host.outcome for host in picture.hosts] == ["changed", "failed", "not reached", "taken back"]
    assert picture.aborted == "aborted by kim@build1"
    assert (picture.what, picture.outcome, picture.stopped_in, picture.changed) == ("rollback", "failed", STAGE, 3)
    written = timeline.write(tmp_path)
    assert written.parent.name == "lab"
    assert all(words in written.read_text(encoding="utf-8") for words in ("no such image", "aborted by kim@build1"))
