"""The command line. Each command's module is imported only when it is called, so that `--help` is quick."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

import click

from slipway import __version__
from slipway.inventories import find_inventory
from slipway.problems import BAD_INPUT, BadInput

COMMANDS = {
    "demo": ("slipway.cli.demo:demo", "Set up everything, deploy the demo stack onto container hosts, prove it."),
    "test": ("slipway.cli.test:test", "Run the test suite."),
    "bench": ("slipway.cli.bench:bench", "Measure against stock pyinfra, Ansible and Mitogen on the same hosts."),
    "lab": ("slipway.cli.lab:lab", "Container hosts on this machine."),
    "validate": (
        "slipway.cli.deploy:validate",
        "Check data, templates, secrets and the Compose file; connect nowhere.",
    ),
    "doctor": ("slipway.cli.doctor:doctor", "Look at every host: what a deploy would stop at, and what to do."),
    "plan": ("slipway.cli.deploy:plan", "Show what a deploy would change. Exit 3 where it would."),
    "deploy": ("slipway.cli.deploy:deploy", "Bring every host to what is wanted and roll the release."),
    "reconcile": ("slipway.cli.reconcile:reconcile", "Tell drift, owed, intended and noise apart; mend what may be."),
    "hold": ("slipway.cli.hold:hold", "reconcile leaves a host, a role or a file alone for a while; say why."),
    "unhold": ("slipway.cli.hold:unhold", "Take a hold back before it ends by itself."),
    "pause": ("slipway.cli.rollout:pause", "A rollout in progress waits before its next batch."),
    "resume": ("slipway.cli.rollout:resume", "A rollout that waits, or whose controller died, goes on."),
    "abort": ("slipway.cli.rollout:abort", "A rollout in progress, or left unfinished, goes back to what ran before."),
    "canary": ("slipway.cli.rollout:canary", "The share of sessions of a release that comes by shares."),
    "status": ("slipway.cli.status:status", "What runs where: host, role, service, release, health."),
    "history": ("slipway.cli.history:history", "Releases that the hosts keep: when, who, which commit, where."),
    "audit": ("slipway.cli.audit:audit", "Who ran what from where, with which commit, and how it ended."),
    "show": ("slipway.cli.history:show", "One release's record."),
    "diff": ("slipway.cli.history:diff", "What two releases differ in."),
    "rollback": ("slipway.cli.rollback:rollback", "Bring every host back to a release on record."),
    "secrets": ("slipway.cli.secrets:secrets", "Secrets of an inventory: list, set, edit, rotate; who can read them."),
    "drill": ("slipway.cli.drill:drill", "Try the alarm: tell every place that reconcile tells."),
    "verify": ("slipway.cli.verify:verify", "Check every role on every host, with testinfra."),
}

OF_AN_INVENTORY = frozenset(COMMANDS) - {"bench", "demo", "test", "lab", "secrets"}
"""Commands whose first argument names one."""


class LazyGroup(click.Group):
    """A group that knows its commands' names and one-liners without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """The command of these words. Raises BadInput where its inventory does not exist, before anything is loaded."""
        if args[0] in OF_AN_INVENTORY and len(args) > 1 and not args[1].startswith("-"):
            find_inventory(args[1])
        return super().resolve_command(ctx, args)

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
    Exit codes: 0 all as wanted; 1 failed; 2 bad input, nothing touched; 3 changes or drift pending;
    75 another run holds the lock; 130/143 interrupted.
    """


def main(arguments: list[str] | None = None) -> Any:
    """Entry point. A user's mistake ends with its message and exit code, never with a traceback."""
    try:
        return cli.main(args=arguments, prog_name="slipway")
    except BadInput as error:
        click.echo(str(error), err=True)
        sys.exit(BAD_INPUT)
