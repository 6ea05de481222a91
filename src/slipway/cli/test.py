"""test: the test suite."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from slipway.paths import SOURCE_ROOT

FAST = "not hosts and not docker and not tools and not sweep"
REST = ("pytest", "-v", "-m", "hosts or docker or tools or sweep", "--durations=25")
NEVER_FAST = ("tests/faults/runs", "tests/hosts", "tests/rollout", "tests/stack", "tests/demo", "tests/images")
"""Where no test does without a host or an engine: not even read by --fast."""
HOUSE = tuple(
    f"tests/faults/test_{name}.py"
    for name in ("kill_sweep", "migration_killed", "reconciling", "secrets_nowhere", "small_disk")
)
"""One host that all of these share: they stay in one process."""
APART = (*HOUSE, "tests/faults/runs", "tests/hosts", "tests/rollout", "tests/stack", "tests/demo", "tests/images")
"""What runs beside the rest: about half of the time that all of it takes."""


@click.command(context_settings={"ignore_unknown_options": True})
@click.option("--fast", is_flag=True, help="Only what needs no host: seconds.")
@click.option("--whole", is_flag=True, help="Every case of the long sweeps; else a sample, its seed printed.")
@click.option("--yes", is_flag=True, help="Consent to what has to be installed and started.")
@click.argument("pytest_arguments", nargs=-1, type=click.UNPROCESSED)
def test(fast: bool, whole: bool, yes: bool, pytest_arguments: tuple[str, ...]) -> None:
    """Run the test suite: linters, unit tests, and everything on container hosts. Further arguments go to pytest."""
    if whole:
        os.environ |= {"SLIPWAY_TEST_WHOLE": "1", "PYTEST_TIMEOUT": "0"}
    if not fast:
        from slipway.machine import make_ready, missing_tools

        make_ready(yes, missing_tools())
    if pytest_arguments:
        sys.exit(_run("pytest", *(["-m", FAST] if fast else []), *pytest_arguments))
    sys.exit(_everything(fast))


def _everything(fast: bool) -> int:
    """Every step, also where an earlier one failed: a person wants to see all of it at once."""
    files = sorted(str(path.relative_to(SOURCE_ROOT)) for path in (SOURCE_ROOT / "tests").rglob("test_*.py"))
    files = [path for path in files if not path.startswith(NEVER_FAST)]
    # Either core has half of the files. (pytest-xdist waits in threads, which gevent's patches do not let it.)
    halves = [("pytest", "-q", "-m", FAST, *files[first::2]) for first in (0, 1)]
    codes = [_run(*step) for step in (("ruff", "check", "."), ("ruff", "format", "--check", "."))]
    with _beside(halves[0], "one | ") as one, _beside(halves[1], "other | ") as other, _beside(("mypy",)) as types:
        codes += [one(), other(), types()]
    return max(*codes, 0 if fast else _rest())


def _rest() -> int:
    """The rest in two processes side by side: most of a test on hosts is waiting. Each has labs of its own."""
    others = (word for path in APART for word in ("--ignore", path))
    with _beside((*REST, *APART), "apart | ") as apart, _beside((*REST, *others), "others | ") as other:
        return max(apart(), other())


@contextmanager
def _beside(words: tuple[str, ...], mark: str = "| ") -> Iterator[Callable[[], int]]:
    """Runs a step while the block runs, each of its lines behind its mark. Gives what its exit code was."""
    told = " ".join(words)
    click.echo(f"--> {mark}{textwrap.shorten(told, 200, placeholder=' ...')} (beside the next)", err=True)
    process = subprocess.Popen(
        _words(*words), cwd=SOURCE_ROOT, text=True, bufsize=1, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    teller = threading.Thread(target=_tell, args=[process, mark])
    teller.start()
    yield lambda: abs(process.wait())
    teller.join()


def _tell(process: subprocess.Popen[str], mark: str) -> None:
    """As it comes: of a run that is cut short, the last line says where it was."""
    for line in process.stdout or ():
        click.echo(f"{mark}{line}", nl=False)


def _run(module: str, *arguments: str) -> int:
    click.echo(f"--> {' '.join((module, *arguments))}", err=True)
    return abs(subprocess.run(_words(module, *arguments), cwd=SOURCE_ROOT, check=False).returncode)


def _words(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", module, *arguments]
