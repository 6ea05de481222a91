"""test: the test suite."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from slipway.paths import SOURCE_ROOT

FAST = "not hosts and not docker"
ON_HOSTS = ("pytest", "-m", "hosts or docker", "--durations=15")
NEVER_FAST = ("tests/hosts", "tests/stack", "tests/demo", "tests/images")
"""Where no test does without a host or an engine: not even read by --fast."""
APART = ("tests/stack", "tests/demo", "tests/images")
"""What runs beside the rest: about half of the time that all of it takes."""


@click.command(context_settings={"ignore_unknown_options": True})
@click.option("--fast", is_flag=True, help="Only what needs no host: seconds.")
@click.option("--whole", is_flag=True, help="Every case of the long sweeps; else a sample, its seed printed.")
@click.option("--yes", is_flag=True, help="Consent to what has to be installed and started.")
@click.argument("pytest_arguments", nargs=-1, type=click.UNPROCESSED)
def test(fast: bool, whole: bool, yes: bool, pytest_arguments: tuple[str, ...]) -> None:
    """Run the test suite: linters, unit tests, and everything on container hosts. Further arguments go to pytest."""
    if whole:
        os.environ["SLIPWAY_TEST_WHOLE"] = "1"
    if not fast:
        from slipway.machine import make_ready

        make_ready(yes)
    if pytest_arguments:
        sys.exit(_run("pytest", *(["-m", FAST] if fast else []), *pytest_arguments))
    sys.exit(_everything(fast))


def _everything(fast: bool) -> int:
    """Every step, also where an earlier one failed: a person wants to see all of it at once."""
    tests = ("pytest", "-m", FAST, *(word for path in NEVER_FAST for word in ("--ignore", path)))
    with _beside(("mypy",)) as types:
        codes = [_run(*step) for step in (("ruff", "check", "."), ("ruff", "format", "--check", "."), tests)]
    return max(*codes, types(), 0 if fast else _on_hosts())


def _on_hosts() -> int:
    """The rest in two processes side by side: most of a test on hosts is waiting. Each has labs of its own."""
    with _beside((*ON_HOSTS, *APART)) as other:
        code = _run(*ON_HOSTS, *(word for path in APART for word in ("--ignore", path)))
    return max(code, other())


@contextmanager
def _beside(words: tuple[str, ...]) -> Iterator[Callable[[], int]]:
    """Runs a step while the block runs; its output comes in one piece at the end. Gives what its exit code was."""
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(_words(*words), cwd=SOURCE_ROOT, stdout=output, stderr=subprocess.STDOUT)
        yield lambda: abs(process.wait())
        process.wait()
        click.echo(f"--> {' '.join(words)} (ran beside it)", err=True)
        output.seek(0)
        click.echo(output.read())


def _run(module: str, *arguments: str) -> int:
    click.echo(f"--> {' '.join((module, *arguments))}", err=True)
    return abs(subprocess.run(_words(module, *arguments), cwd=SOURCE_ROOT, check=False).returncode)


def _words(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", module, *arguments]
