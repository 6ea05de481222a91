"""The page of a reconcile as a real browser shows it: on a phone, on a screen, in the dark and on paper."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from slipway.reconcile.report import keep
from slipway.timeline import picture_of
from tests.browser import Browser, browser
from tests.reconcile_sample import BEGAN, DRIFT, clean, found, large, mended, report, with_hosts, yielded
from tests.timeline_sample import well

pytestmark = pytest.mark.tools

PHONE, SCREEN = 390, 1280

CONTRAST = """
(() => {
  const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = (colour) => parts(colour).slice(0, 3).map((v) => v / 255)
    .map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const ground = parts(getComputedStyle(one).backgroundColor);
      if (ground.length < 4 || ground[3] > 0) return getComputedStyle(one).backgroundColor;
    }
    return "rgb(255, 255, 255)";
  };
  const seen = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let text = texts.nextNode(); text; text = texts.nextNode()) {
    const element = text.parentElement;
    if (!text.data.trim() || element.closest("svg") || !element.checkVisibility()) continue;
    const [a, b] = [light(getComputedStyle(element).color), light(behind(element))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < 4.5) seen.push(`${contrast.toFixed(2)} ${element.className} ${text.data.trim().slice(0, 40)}`);
  }
  return seen;
})()
"""
"""Texts that are hard to read on what lies behind them: below 4.5 to 1, as WCAG 2 counts for ordinary text."""

BESIDE = """
[...document.body.querySelectorAll("*")]
  .filter((each) => !each.closest(".scroll, svg") && each.getBoundingClientRect().right > innerWidth + 1)
  .map((each) => `${each.tagName} ${each.className}`)
"""
"""What reaches beyond the right edge; what scrolls within a frame of its own does not count."""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as one:
        yield one


@pytest.fixture(scope="module")
def latest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with everything on it, after a day of runs."""
    folder = tmp_path_factory.mktemp("runs")
    for number in range(90, 0, -1):
        kind = {5: yielded, 17: mended}.get(number, clean)
        keep(kind(BEGAN - number * timedelta(minutes=15)), folder, 50)
    return keep(found(), folder, 50, picture_of(well().lines())).with_name("latest.html")


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Names and lines that no page was made for."""
    endless = "x" * 300
    hostile = replace(
        DRIFT, subject=endless, what="<img src=x onerror=alert(1)>", diff=f"-{endless}\n+<script>alert(1)"
    )
    run = with_hosts(clean(), "found", edge1=report(endless, hostile), edge2=report("edge2", hostile))
    run = replace(run, commit=endless, who=endless, errors=(endless, "<script>document.title='taken'</script>"))
    return keep(run, tmp_path_factory.mktemp("odd"), 50)


@pytest.mark.parametrize("width", [PHONE, SCREEN])
@pytest.mark.parametrize("name", ["latest", "odd"])
def test_nothing_reaches_beyond_the_edge(
    name: str, width: int, chromium: Browser, request: pytest.FixtureRequest
) -> None:
    """No page has to be pushed sideways, on a phone neither; wide tables scroll by themselves."""
    chromium.open(request.getfixturevalue(name), width)
    assert chromium.evaluate(BESIDE) == []
    assert chromium.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("dark", [False, True])
def test_every_word_can_be_read(dark: bool, latest: Path, chromium: Browser) -> None:
    """On a light ground and on a dark one."""
    chromium.open(latest, SCREEN, dark=dark)
    assert chromium.evaluate(CONTRAST) == []


def test_no_kind_is_told_by_its_colour_alone(latest: Path, chromium: Browser) -> None:
    """Its shape and its word stand beside it."""
    chromium.open(latest, SCREEN)
    texts = set(chromium.evaluate('[...document.querySelectorAll(".kind")].map((each) => each.innerText)'))
    assert texts == {"▲ drift", "◆ owed", "‖ held", "✓ mended", "● intended", "○ noise"}


def test_the_page_asks_for_nothing_else(latest: Path, odd: Path, chromium: Browser) -> None:
    """No request but for itself, no script that runs, no error that the browser tells."""
    for page in (latest, odd):
        chromium.open(page, SCREEN)
        asked = [
            each["params"]["request"]["url"] for each in chromium.said if each["method"] == "Network.requestWillBeSent"
        ]
        assert asked == [page.resolve().as_uri()]
        assert [each for each in chromium.said if each["method"] in ("Log.entryAdded", "Runtime.exceptionThrown")] == []
        assert chromium.evaluate("document.scripts.length + document.images.length") == 0
        assert chromium.evaluate("document.title").startswith("reconcile production")


def test_the_way_to_a_host_leads_to_its_differences(latest: Path, chromium: Browser) -> None:
    """A touch on its tile."""
    chromium.open(latest, PHONE)
    names = chromium.evaluate(
        '[...document.querySelectorAll(".tile a")].map((a) => [a.innerText, document.querySelector(a.hash).innerText])'
    )
    assert [name for name, _ in names] == ["edge1", "edge2", "worker1", "worker2", "cache1"]
    assert all(title.startswith(name) for name, title in names)


def test_on_paper_every_diff_is_there(tmp_path: Path, chromium: Browser) -> None:
    """Also where there are so many that the screen shows them folded."""
    page = keep(large(4, 5), tmp_path, 5)
    chromium.open(page, SCREEN)
    seen = 'document.querySelectorAll("pre.diff")[7].checkVisibility()'
    assert chromium.evaluate(seen) is False
    chromium.printing()
    assert chromium.evaluate(seen) is True
    assert chromium.evaluate('document.querySelectorAll("pre.diff")[7].getBoundingClientRect().height') > 50
