"""The bench without a host: what is wanted is wanted of everybody, and figures say what the runs said."""

from __future__ import annotations

import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest

from slipway.bench.contestants import ANSIBLE, FLOOR, MITOGEN, PYINFRA, SLIPWAY, Place, project_of, start_of
from slipway.bench.in_ansible import playbook
from slipway.bench.page import BEGIN, END, PAGE, PLOT, RAW, files, joined
from slipway.bench.plot import plot
from slipway.bench.resources import RESOURCES, Absent, Directory, File, Link, Packages, Template, User
from slipway.bench.results import (
    FIRST,
    NO_OP,
    ONE_FILE,
    STACK,
    Field,
    Figure,
    expected_seconds,
    fields_of,
    from_json,
    summaries,
    to_json,
)
from slipway.bench.state import by_hand_words, differences, look_words, one_file_words, read_look, wanted_state
from slipway.bench.table import tables
from slipway.bench.targets import Keys, Target, known_hosts
from slipway.cli import main

NEAR, FAR = Target("light1", "192.0.2.1", "192.0.2.1"), Target("light2", "192.0.2.2", "127.0.0.1", 2201)
KEYS = Keys(Path("/keys/id"), Path("/keys/known_hosts"))


def figure(contestant: str, wall: float, hosts: int = 7, scenario: str = NO_OP, round_trip_ms: int = 0) -> Figure:
    return Figure(contestant, scenario, hosts, round_trip_ms, wall, wall / 2, 100.0, 3.0, 0.5)


def runs(contestant: str, *walls: float, **field: object) -> list[Figure]:
    return [replace(figure(contestant, wall), **field) for wall in walls]  # type: ignore[arg-type]


# --- what is wanted


def test_the_resources_are_of_every_kind_and_as_many_as_promised() -> None:
    """Forty to sixty, each named once: two for one path would fight for it."""
    assert 40 <= len(RESOURCES) <= 60
    assert {type(each) for each in RESOURCES} == {Absent, Directory, File, Link, Packages, Template, User}
    paths = [each.path for each in RESOURCES if not isinstance(each, User | Packages)]
    assert sorted(set(paths)) == sorted(paths)


def test_the_playbook_has_a_task_for_every_resource() -> None:
    """What Ansible does not bring it would be quicker at."""
    tasks = playbook()[0]["tasks"]
    assert len(tasks) == len(RESOURCES)
    text = json.dumps(tasks)
    wanted = [each.path for each in RESOURCES if not isinstance(each, User | Packages)]
    wanted += [each.name for each in RESOURCES if isinstance(each, User)]
    assert [each for each in wanted if f'"{each}"' not in text] == []


def look_at(tmp_path: Path) -> dict[str, str]:
    """What the script says of this machine, its paths taken from below `tmp_path`."""
    words = [str(tmp_path) + word if word.startswith("/") else word for word in look_words()]
    said = subprocess.run(words, capture_output=True, text=True, check=False).stdout
    assert said.endswith("sessions\t\n")  # this machine has no log of a light host
    return read_look(said.removesuffix("\n").replace(str(tmp_path), "") + "0\n").state


def test_the_look_at_a_host_reads_what_lies_there(tmp_path: Path) -> None:
    """Kind, mode, owner and content of a file, the target of a link; what is not there is not in it."""
    for place in ("etc/bench", "srv/bench/releases"):
        (tmp_path / place).mkdir(parents=True)
    (tmp_path / "etc/bench/limits.conf").write_text("nofile 65536\nnproc 4096\n")
    (tmp_path / "etc/bench/limits.conf").chmod(0o640)
    (tmp_path / "srv/bench/current").symlink_to(tmp_path / "srv/bench/releases")
    found, wanted = look_at(tmp_path), wanted_state("light1")
    owner = f"{(tmp_path / 'etc').owner()} {(tmp_path / 'etc').group()}"
    assert found["path /etc/bench/limits.conf"].replace(owner, "root root") == wanted["path /etc/bench/limits.conf"]
    assert found["path /srv/bench/current"].replace(owner, "root root") == wanted["path /srv/bench/current"]
    assert "path /etc/bench/mail.conf" not in found


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"path /srv/bench/shared": "directory 777 ada adm"}, "path /srv/bench/shared: directory 777 ada adm, wanted"),
        ({"path /etc/bench/old.conf": "regular file 644 root root 0"}, "path /etc/bench/old.conf: should not be there"),
        ({"user ada": "3000 'Ada of the bench' /home/ada /bin/sh adm,games"}, "user ada: 3000 'Ada of the bench'"),
        ({"package sudo": "config-files"}, "package sudo: config-files, wanted installed"),
    ],
)
def test_whatever_differs_is_told(change: dict[str, str], told: str) -> None:
    """A host that is as wanted has no difference, one that is not has that one."""
    assert differences("light1", wanted_state("light1")) == []
    found = differences("light1", {**wanted_state("light1"), **change})
    assert [each[: len(told)] for each in found] == [told]


def test_what_is_missing_and_another_host_s_name_are_told() -> None:
    """A template has its own host's name in it."""
    without = {key: value for key, value in wanted_state("light1").items() if key != "path /srv/bench/current"}
    assert differences("light1", without) == ["path /srv/bench/current: is missing"]
    templates = sum(isinstance(each, Template) for each in RESOURCES)
    assert len(differences("light2", wanted_state("light1"))) == templates


def test_hands_only_touch_what_is_brought() -> None:
    """Whatever is edited by hand is something that the contestants would mend."""
    touched = {word for words in (by_hand_words(), one_file_words()) for word in words[2].split() if word[0] == "/"}
    known = {each.path for each in RESOURCES if not isinstance(each, User | Packages)} | {"/bin/sh"}
    assert touched and touched <= known


# --- who brings it


def test_everybody_reaches_the_same_hosts_with_the_same_key(tmp_path: Path) -> None:
    """Directly or by the port that delays; strictly checked."""
    strategy = tmp_path / "lib/python3.11/site-packages/ansible_mitogen/plugins/strategy"
    strategy.mkdir(parents=True)
    place = Place([NEAR, FAR], KEYS, tmp_path)
    for each in (FLOOR, SLIPWAY, PYINFRA, ANSIBLE, MITOGEN):
        text = " ".join([*project_of(each, place).values(), *start_of(each, place).words])
        assert [word for word in ("192.0.2.1", "127.0.0.1", "2201", "/keys/id") if word not in text] == [], each
    assert str(strategy) in project_of(MITOGEN, place)["ansible.cfg"]
    assert "mitogen" not in project_of(ANSIBLE, place)["ansible.cfg"]
    assert (
        known_hosts([NEAR, FAR], "ssh-ed25519 AAAA")
        == "192.0.2.1 ssh-ed25519 AAAA\n[127.0.0.1]:2201 ssh-ed25519 AAAA\n"
    )


def test_stock_pyinfra_s_deploy_file_knows_nothing_of_the_engine() -> None:
    """Its operations are pyinfra's; loading them loads no seam."""
    load = "import slipway.bench.in_pyinfra, sys; print([name for name in sys.modules if 'slipway.seam' in name])"
    done = subprocess.run([sys.executable, "-c", load], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# --- what came of it


def test_a_median_is_of_one_field_and_one_contestant() -> None:
    """Runs of other hosts, ways, scenarios or contestants do not count for it."""
    figures = [*runs(SLIPWAY, 1.0, 9.0, 2.0), *runs(SLIPWAY, 50.0, hosts=50), *runs(SLIPWAY, 70.0, round_trip_ms=50)]
    found = summaries([*figures, *runs(SLIPWAY, 90.0, scenario=FIRST), *runs(PYINFRA, 80.0)])
    own = found[Field(0, NO_OP, 7), SLIPWAY]
    assert (own.wall, own.runs, own.fastest, own.slowest) == (2.0, 3, 1.0, 9.0)


def test_what_has_not_been_run_yet_is_expected_in_proportion_to_the_hosts() -> None:
    """Of runs with fewer hosts; of nothing, nothing."""
    figures = [*runs(ANSIBLE, 20.0, 30.0, hosts=1), *runs(ANSIBLE, 35.0, hosts=1, round_trip_ms=50)]
    assert expected_seconds(figures, ANSIBLE, NO_OP, 7, 0) == 210.0
    assert expected_seconds(figures, ANSIBLE, ONE_FILE, 7, 50) == 245.0
    assert expected_seconds(figures, MITOGEN, NO_OP, 7, 0) == 0.0


def test_the_tables_say_medians_ratios_and_how_many_runs() -> None:
    """Fewer than five runs stand beside their median, who was left out has a dash."""
    figures = [*runs(SLIPWAY, *[0.5] * 5), *runs(PYINFRA, *[5.0] * 5), *runs(ANSIBLE, 30.0, 20.0, 40.0)]
    stack = [
        *runs(SLIPWAY, 1.0, scenario=STACK, round_trip_ms=50),
        *runs(PYINFRA, 30.0, scenario=STACK, round_trip_ms=50),
    ]
    text = tables([*figures, *runs(SLIPWAY, *[0.7] * 5, scenario=ONE_FILE), *runs(FLOOR, *[0.25] * 5), *stack])
    lines = text.splitlines()
    assert "| no-op | direct | 7 | 0.25 | 0.50 | 5.00 | 30.0 (n=3) |" in lines
    assert "| one file | direct | 7 | – | 0.70 | – | – |" in lines
    assert "| no-op against stock pyinfra | direct | 7 | 10.0 times faster | – |" in lines
    assert "| full stack, no-op against stock pyinfra | +50 ms | 7 | 30.0 times faster | at least 20 |" in lines
    assert "| no-op against Ansible | direct | 7 | 60.0 times faster | at least 40 |" in lines
    assert "| one changed file against no-op | direct | 7 | 1.40 times | at most 1.5 |" in lines
    assert "| no-op against `ssh true` | direct | 7 | 2.0 times | – |" in lines


def test_the_plot_has_a_mark_for_every_median_further_right_where_it_took_longer() -> None:
    """And a row for every field."""
    figures = [*runs(SLIPWAY, 0.5, 0.6, 0.7), *runs(PYINFRA, 6.0), *runs(SLIPWAY, 0.9, hosts=50)]
    root = ET.fromstring(plot(figures))  # noqa: S314 - our own drawing
    marks = [each for each in root.iter("{http://www.w3.org/2000/svg}circle") if len(each)]
    at = {each[0].text.partition(":")[0]: float(each.attrib["cx"]) for each in marks if each[0].text}
    assert list(at) == [
        "Slipway, no-op, 7 hosts, direct", "stock pyinfra, no-op, 7 hosts, direct", "Slipway, no-op, 50 hosts, direct",
    ]  # fmt: skip
    near, stock, many = at.values()
    assert near < many < stock
    assert len(fields_of(figures)) == 2


def test_raw_figures_come_back_as_they_were() -> None:
    """With what they were taken on."""
    figures = [*runs(SLIPWAY, 0.5, 1.25), *runs(PYINFRA, 6.0, round_trip_ms=50)]
    assert from_json(to_json(figures, {"machine": "2 cores"})) == (figures, {"machine": "2 cores"})
    with pytest.raises(ValueError, match="format 0"):
        from_json('{"format": 0}')


def test_a_new_series_leaves_the_words_of_the_page_alone() -> None:
    """Only what is between the two marks is replaced; without them nothing is."""
    page = f"# Ours\n\nWhy.\n\n{BEGIN}\nold figures\n{END}\nHow to read it.\n"
    made = files(runs(SLIPWAY, 0.5), {"machine": "2 cores"}, page)
    assert set(made) == {PAGE, PLOT, RAW}
    assert made[PAGE].startswith(f"# Ours\n\nWhy.\n\n{BEGIN}\n") and made[PAGE].endswith(f"{END}\nHow to read it.\n")
    assert "old figures" not in made[PAGE] and "| machine | 2 cores |" in made[PAGE] and PLOT in made[PAGE]
    with pytest.raises(ValueError, match="the page has no"):
        files(runs(SLIPWAY, 0.5), {}, "# Ours\n")


def test_a_series_in_parts_is_one() -> None:
    """Figures add up; what differs between the parts is said of both, what does not is said once."""
    first = to_json(runs(SLIPWAY, 0.5), {"machine": "2 cores", "command": "one"})
    figures, about = joined(first, runs(PYINFRA, 6.0), {"machine": "2 cores", "command": "two", "left out": "Ansible"})
    assert figures == [*runs(SLIPWAY, 0.5), *runs(PYINFRA, 6.0)]
    assert about == {"machine": "2 cores", "command": "one; two", "left out": "Ansible"}
    assert joined("", figures, about) == (figures, about)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--hosts", "1,x"], "--hosts: '1,x' is no list of numbers"),
        (["--hosts", "0"], "--hosts: '0' is no list of numbers"),
        (["--scenarios", "noop"], "did you mean 'no-op'?"),
        (["--scenarios", "first:"], ""),
        (["--scenarios", "first:0"], "'first:0' has no number after its colon"),
        (["--contestants", "slipway,ansibel"], "did you mean 'ansible'?"),
    ],
)
def test_a_wrong_option_ends_before_anything_is_started(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 2 and the nearest name."""
    monkeypatch.setattr("slipway.cli.bench._measure", lambda *plan: 0)
    with pytest.raises(SystemExit) as ended:
        main(["bench", *words])
    assert (ended.value.code, told in capsys.readouterr().err) == (2 if told else 0, True)
