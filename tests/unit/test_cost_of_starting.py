"""What a command loads and takes before it has anything to do: help and a mistake are told at once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from slipway.images.ignored import paths_within
from tests.slowness import processor_seconds, slowness
from tests.wrong_project import ROOT, WrongProject, wrong_project

HEAVY = frozenset({"paramiko", "pyinfra", "gevent", "rich", "pydantic", "jinja2", "docker", "yaml", "cryptography"})
NOT_FOR_DATA = frozenset({"docker", "requests", "invoke.tasks", "rich", "slipway.timeline"})
"""What validation of the whole project does without."""

HELP_SECONDS, BAD_DATA_SECONDS = 0.25, 0.6
LOADED = """\
import json, sys
from slipway.cli import main
try:
    main(json.loads(sys.argv[1]))
except SystemExit as end:
    print(json.dumps([end.code, sorted(sys.modules)]))
"""


@pytest.fixture
def project(tmp_path: Path) -> WrongProject:
    """Every role, and one mistake in the data of one of them."""
    made = wrong_project(tmp_path)
    made.whole_deploy()
    made.write("group_data/redis.py", 'redis = {"http": 1}\n')
    return made


def loaded(project: WrongProject, *words: str) -> tuple[int, set[str]]:
    """Exit code, and the modules that were loaded for these words."""
    done = project.run("-c", LOADED, json.dumps(words))
    code, modules = json.loads(done.stdout.splitlines()[-1])
    return code, set(modules)


def seconds(project: WrongProject, *words: str) -> float:
    """Processor time of a command of the project."""
    return processor_seconds([sys.executable, "-m", "slipway", *words], project.path, {"PYTHONPATH": f"{ROOT / 'src'}"})


@pytest.mark.parametrize(
    ("words", "code"),
    [(["--help"], 0), (["plaan"], 2), (["plan", "flete"], 2)],
)
def test_help_and_a_mistyped_name_load_nothing(project: WrongProject, words: list[str], code: int) -> None:
    """No SSH, no gevent, no templates: what it takes is Python and the command line's own."""
    found, modules = loaded(project, *words)
    assert (found, modules & HEAVY) == (code, set())


def test_a_mistake_in_the_data_loads_nothing_that_only_a_run_needs(project: WrongProject) -> None:
    """No client for containers, no tables, no timeline."""
    code, modules = loaded(project, "plan", "fleet")
    assert (code, modules & NOT_FOR_DATA) == (2, set())


@pytest.mark.sweep
def test_help_is_there_in_a_quarter_of_a_second(project: WrongProject) -> None:
    """Of the processor's time."""
    assert seconds(project, "--help") < HELP_SECONDS


@pytest.mark.sweep
def test_a_mistake_is_told_in_little_more_than_half_a_second(project: WrongProject) -> None:
    """Every role on every host looked at; longer only where everything takes longer at the moment."""
    assert seconds(project, "validate", "fleet") < BAD_DATA_SECONDS * slowness()


def test_what_is_loaded_on_use_is_there_when_it_is_used() -> None:
    """The module itself, for whoever has imported what stands in for it and whoever imports it afterwards."""
    words = (
        "import slipway.start, sys; from paramiko.config import invoke as early; "
        "assert 'invoke.tasks' not in sys.modules; early.task; assert 'invoke.tasks' in sys.modules; "
        "import invoke; assert invoke.task is early.task; assert not hasattr(early, 'nobody')"
    )
    subprocess.run([sys.executable, "-c", words], cwd=ROOT, check=True)


def test_entry_points_are_those_that_are_installed() -> None:
    """Reading them once changes none of them."""
    words = (
        "from importlib import metadata; all = sorted(metadata.entry_points(group='pyinfra.connectors')); "
        "import slipway.start; assert all and all == sorted(metadata.entry_points(group='pyinfra.connectors')); "
        "assert not metadata.entry_points(group='nobody')"
    )
    subprocess.run([sys.executable, "-c", words], cwd=ROOT, check=True)


@pytest.mark.parametrize("patterns", [[], ["*.pyc", "!keep.pyc", "deep/**/x"], ["Dockerfile", "deep"], ["**/y*"]])
def test_what_docker_ignores_is_left_out(tmp_path: Path, patterns: list[str]) -> None:
    """The same paths as Docker's own client finds."""
    for name in ("Dockerfile", "a.pyc", "keep.pyc", "deep/x", "deep/er/x", "deep/er/y1", "yy"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    from docker.utils.build import exclude_paths  # not before gevent has patched what it uses

    wanted = exclude_paths(str(tmp_path), [*patterns], dockerfile="Dockerfile")
    assert paths_within(tmp_path, patterns, "Dockerfile") == wanted
