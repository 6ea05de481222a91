"""test: the test suite."""

from __future__ import annotations

import subprocess
import sys

import click

from slipway.paths import SOURCE_ROOT

FAST = "not hosts and not docker"


@click.command(context_settings={"ignore_unknown_options": True})
@click.option("--fast", is_flag=True, help="Only what needs no host: seconds.")
@click.option("--yes", is_flag=True, help="Consent to what has to be installed and started.")
@click.argument("pytest_arguments", nargs=-1, type=click.UNPROCESSED)
def test(fast: bool, yes: bool, pytest_arguments: tuple[str, ...]) -> None:
    """Run the test suite: linters, unit tests, and everything on container hosts. Further arguments go to pytest."""
    if not fast:
        from slipway.machine import make_ready

        make_ready(yes)
    selection = ["-m", FAST] if fast else []
    sys.exit(_run("pytest", *selection, *pytest_arguments) if pytest_arguments else _everything(selection))


def _everything(selection: list[str]) -> int:
    """Every step, also where an earlier one failed: a person wants to see all of it at once."""
    steps = [
        ("ruff", "check", "."),
        ("ruff", "format", "--check", "."),
        ("mypy",),
        ("pytest", *selection),
    ]
    return max(_run(*step) for step in steps)


def _run(module: str, *arguments: str) -> int:
    click.echo(f"--> {' '.join((module, *arguments))}", err=True)
    return abs(subprocess.run([sys.executable, "-m", module, *arguments], cwd=SOURCE_ROOT, check=False).returncode)
