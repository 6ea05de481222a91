"""verify: testinfra checks of every role on every host."""

from __future__ import annotations

import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from slipway.cli.outcome import end, truthful  # first: it patches for gevent

# isort: split
import click
import pytest
import testinfra

from slipway.cli.deploy import limit_option, quiet_pyinfra
from slipway.engine.prepare import prepare
from slipway.engine.run import Run
from slipway.engine.session import connected
from slipway.paths import project_root
from slipway.verification import test_roles
from slipway.verification.checks import checks_of
from slipway.verification.ssh import write_ssh_config


class Plugin:
    """Hands the checks of a run to pytest."""

    def __init__(self, run: Run, ssh_config: Path) -> None:
        self._checks, self._ssh_config = list(checks_of(run)), str(ssh_config)

    def pytest_generate_tests(self, metafunc: Any) -> None:
        metafunc.parametrize("check", self._checks, ids=lambda check: check.id)

    @pytest.fixture
    def backend(self, check: Any) -> Any:
        return _backend(check.ctx.host.name, self._ssh_config)


@cache
def _backend(name: str, ssh_config: str) -> Any:
    return testinfra.get_host(f"ssh://{name}", ssh_config=ssh_config, sudo=True)


@click.command()
@click.argument("inventory")
@limit_option
@click.option("-k", "expression", default="", help="Only checks whose name matches, as pytest's -k.")
def verify(inventory: str, limit: tuple[str, ...], expression: str) -> None:
    """Check every role on every host. Exit 0: all is as the roles promise; 1: something is not."""
    quiet_pyinfra()
    # A short path: the control sockets lie there, and a socket's path may have 108 bytes only.
    with truthful(), tempfile.TemporaryDirectory(prefix="slipway-") as folder, connected(inventory, limit) as run:
        prepare(run, project_root() / "deploy.py")
        plugin = Plugin(run, write_ssh_config(run, Path(folder)))
        # Not this project's own pytest settings, and none of the plugins that would print or write something.
        unwanted = [word for name in ("cacheprovider", "testinfra", "warnings") for word in ("-p", f"no:{name}")]
        arguments = ["-q", "--tb=short", "--no-header", *unwanted]
        arguments += ["--rootdir", folder, "-c", "/dev/null", *(["-k", expression] if expression else [])]
        code = int(pytest.main([str(test_roles.__file__), *arguments], plugins=[plugin]))
    if code == pytest.ExitCode.NO_TESTS_COLLECTED:
        end("No check matches: nothing was verified.", 1)
    sys.exit(0 if code == 0 else 1)
