"""`slipway lab`: container hosts on this machine."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from slipway.problems import BAD_INPUT, BadInput, Problem

if TYPE_CHECKING:
    from slipway.lab.lab import HostStatus, Lab


def _named(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option("--name", envvar="SLIPWAY_LAB", help="Which lab; several can stand side by side.")(command)


@click.group()
def lab() -> None:
    """Container hosts on this machine, to try everything on."""


@lab.command()
@_named
@click.option("--hosts", default="", help="Only these, separated by commas.")
@click.option("--with", "more", default="", help="These besides, which are not brought up otherwise: ops1.")
def up(name: str | None, hosts: str, more: str) -> None:
    """Start the hosts: systemd, sshd, a sudo user, nothing else."""
    with _lab(name) as chosen:
        new = chosen.up(_asked_for(hosts, more))
        click.echo(f"{chosen.name}: {'up: ' + ', '.join(new) if new else 'was up already'}")


def _asked_for(hosts: str, more: str) -> list[str]:
    """Names of the hosts to bring up; none stands for all that are not on demand."""
    from slipway.lab.hosts import HOSTS

    wanted, besides = ([name for name in text.split(",") if name] for text in (hosts, more))
    return [*(wanted or [host.name for host in HOSTS]), *besides] if besides else wanted


@lab.command()
@_named
@click.option("--purge", is_flag=True, help="Remove the images and the downloaded packages of all labs as well.")
def down(name: str | None, purge: bool) -> None:
    """Remove the hosts with their disks, network, keys and secrets."""
    with _lab(name) as chosen:
        chosen.down()
        if purge:
            chosen.purge()
        kept = "nothing is kept" if purge else "kept for next time: images and downloaded packages (remove: --purge)"
        click.echo(f"{chosen.name}: down; {kept}")


@lab.command()
@_named
def status(name: str | None) -> None:
    """Show every host: where it is and whether it answers."""
    with _lab(name) as chosen:
        _print_table(chosen.name, chosen.status())


@lab.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@_named
@click.argument("host")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def ssh(name: str | None, host: str, arguments: tuple[str, ...]) -> None:
    """Log in to HOST, or run a command there. What follows HOST goes to ssh."""
    with _lab(name) as chosen:
        command = chosen.ssh_command(host, *arguments)
        if not chosen.ssh_config.is_file():
            raise BadInput([Problem("lab", f"{chosen.name!r} is not up", "slipway lab up")])
        if shutil.which("ssh") is None:
            raise BadInput([Problem("lab", "there is no ssh on this machine", "apt-get install openssh-client")])
        os.execvp("ssh", command)  # noqa: S606 - becomes ssh, so that terminal, signals and exit code are ssh's own


@contextmanager
def _lab(name: str | None) -> Iterator[Lab]:
    """The lab; what goes wrong with it is told in its own words, without a traceback."""
    from slipway.lab.engine import LabFailed  # here, so that `slipway --help` does not load it
    from slipway.lab.lab import Lab

    try:
        yield Lab(name, say=click.echo)
    except BadInput as problems:
        click.echo(str(problems), err=True)
        sys.exit(BAD_INPUT)
    except LabFailed as failure:
        click.echo(str(failure), err=True)
        sys.exit(1)


def _print_table(name: str, hosts: list[HostStatus]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("host", "address", "debian", "state", "sshd", title=f"lab {name}")
    for row in hosts:
        table.add_row(row.host.name, row.address, str(row.host.debian), row.state, "answers" if row.answers else "-")
    Console().print(table)
