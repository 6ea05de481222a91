"""The command line. Each command's module is imported only when it is called, so that `--help` is quick."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

import click

from slipway import __version__
from slipway.problems import BAD_INPUT, BadInput

COMMANDS = {
    "demo": ("slipway.cli.demo:demo", "Set up everything, deploy the demo stack onto container hosts, prove it."),
    "test": ("slipway.cli.test:test", "Run the test suite."),
    "lab": ("slipway.cli.lab:lab", "Container hosts on this machine."),
    "validate": (
        "slipway.cli.deploy:validate",
        "Check data, templates, secrets and the Compose file; connect nowhere.",
    ),
    "plan": ("slipway.cli.deploy:plan", "Show what a deploy would change. Exit 3 where it would."),
    "deploy": ("slipway.cli.deploy:deploy", "Bring every host to what is wanted and roll the release."),
    "status": ("slipway.cli.status:status", "What runs where: host, role, service, release, health."),
    "history": ("slipway.cli.history:history", "Releases that the hosts keep: when, who, which commit, where."),
    "show": ("slipway.cli.history:show", "One release's record."),
    "diff": ("slipway.cli.history:diff", "What two releases differ in."),
    "verify": ("slipway.cli.verify:verify", "Check every role on every host, with testinfra."),
}


class LazyGroup(click.Group):
    """A group that knows its commands' names and one-liners without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[name][0].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="slipway")
def cli() -> None:
    """From bare hosts to a running, verified application stack, over SSH, with pyinfra.

    INVENTORY is a name in inventories/ (lab, production) or a path.

    \b
    Exit codes: 0 all as wanted; 1 failed; 2 bad input, nothing touched; 3 changes pending;
    75 another run holds the lock; 130/143 interrupted.
    """


def main(arguments: list[str] | None = None) -> Any:
    """Entry point. A user's mistake ends with its message and exit code, never with a traceback."""
    try:
        return cli.main(args=arguments, prog_name="slipway")
    except BadInput as error:
        click.echo(str(error), err=True)
        sys.exit(BAD_INPUT)
