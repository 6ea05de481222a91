"""What an edge is asked for the proof of a release: how many answers in a row are right, and how many programs ask."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from slipway.facts.edges import EdgeComplaint

CURL = r"""#!/bin/sh
# Says what is in `answers`, a line for each URL: the status and the text; or why there is no answer, and ends.
cd "${0%/*}"; echo >> asked
while [ "$1" != -- ]; do [ "$1" != --write-out ] || format=$2; shift; done; shift
for url do
  IFS= read -r line < answers; sed -i 1d answers
  case $line in
    "no "*) echo "curl: ${line#no }" >&2; printf "$(printf '%s' "$format" | sed 's/%{http_code}/000/')"; exit 7 ;;
  esac
  printf "%s$(printf '%s' "$format" | sed "s/%{http_code}/${line%% *}/")" "${line#* }"
done
"""
RIGHT, ANY = "200 4f2c1e", ""


class Edge:
    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "curl").write_text(CURL)
        (path / "curl").chmod(0o755)

    def asked(self, *answers: str, wanted: str = "4f2c1e", seconds: int = 60) -> tuple[str, int]:
        """The complaint, and how many programs asked, where it answers so; three times in a row it has to be right."""
        (self.path / "answers").write_text("".join(f"{line}\n" for line in answers))
        (self.path / "asked").write_text("")
        command = EdgeComplaint().command("10.0.0.1", "http://shop.test/version", wanted, 3, seconds).get_raw_value()
        env = {**os.environ, "PATH": f"{self.path}:{os.environ['PATH']}"}
        words = ["dash", "-c", command.replace(" 0.5 ", " 0.01 ")]
        done = subprocess.run(words, env=env, capture_output=True, check=True)
        return done.stdout.decode(), len((self.path / "asked").read_text())


@pytest.fixture
def edge(tmp_path: Path) -> Edge:
    return Edge(tmp_path)


def test_all_answers_are_asked_for_by_one_program(edge: Edge) -> None:
    """A host takes long to start one."""
    assert edge.asked(*[RIGHT] * 3) == ("", 1)


@pytest.mark.parametrize("wrong", ["200 1a9b07", "502 4f2c1e", "404 4f2c1e", "no (7) Failed to connect"])
def test_a_wrong_answer_begins_the_count_again(edge: Edge, wrong: str) -> None:
    """What was right before it does not count; what is behind it does."""
    assert edge.asked(RIGHT, RIGHT, wrong, RIGHT, RIGHT, RIGHT) == ("", 2)
    if not wrong.startswith("no "):
        assert edge.asked(wrong, RIGHT, RIGHT, RIGHT) == ("", 2)
    before, asked = edge.asked(wrong, RIGHT, RIGHT, wrong, RIGHT, RIGHT, RIGHT)
    assert (before, asked >= 3) == ("", True)


def test_whoever_is_told_to_come_later_loses_no_count(edge: Edge) -> None:
    """429 is the edge's answer to too many requests, not the release's."""
    assert edge.asked(RIGHT, RIGHT, "429 later", RIGHT) == ("", 2)


def test_without_a_release_any_answer_below_500_is_right(edge: Edge) -> None:
    """But none, and 429, is not."""
    assert edge.asked("404 nothing here", "301 there", "200 x", wanted=ANY) == ("", 1)
    assert edge.asked("500 broken", RIGHT, RIGHT, RIGHT, wanted=ANY) == ("", 2)
    assert edge.asked("429 later", RIGHT, RIGHT, RIGHT, wanted=ANY) == ("", 2)


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        (("200 1a9b07", RIGHT, RIGHT), "1a9b07 200"),
        ((RIGHT, "502 bad gateway", RIGHT), "bad gateway 502"),
        (("no (7) Failed to connect",), "curl: (7) Failed to connect"),
        ((RIGHT, RIGHT, "200 4f2c1d; then $(id) `id` \"'%s"), "4f2c1d; then $(id) `id` \"'%s 200"),
    ],
)
def test_when_time_is_up_the_last_wrong_answer_is_told(edge: Edge, answers: tuple[str, ...], said: str) -> None:
    """Its text and its status, or why there was none; of a page the beginning."""
    complaint, asked = edge.asked(*answers, seconds=0)
    assert (said in complaint, asked) == (True, 1), complaint
    assert len(edge.asked(f"200 {'x' * 5000}", RIGHT, RIGHT, seconds=0)[0]) <= 300
