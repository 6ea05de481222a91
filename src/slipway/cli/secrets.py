"""secrets: list, set, edit, rotate; who can read them. No value is an argument, and none is shown."""

from __future__ import annotations

import json
import re
from dataclasses import asdict

from slipway.cli.outcome import truthful  # first: it patches for gevent

# isort: split
import click
from rich.table import Table

from slipway.cli.deploy import json_option
from slipway.cli.secret_values import LENGTH, drawn, phase_in, value_given
from slipway.cli.secrets_edit import edit
from slipway.cli.secrets_people import init, recipients
from slipway.cli.secrets_rotate import rotate
from slipway.engine.secret_source import Listed, Source, listed, needed, refuse_reserved, source_of
from slipway.problems import BadInput, Problem
from slipway.secrets.versions import Phase
from slipway.terminal import Terminal

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*")


@click.group()
def secrets() -> None:
    """Secrets of an inventory: list, set, edit and rotate them; say who can read them."""


for command in (init, edit, rotate, recipients):
    secrets.add_command(command)


@secrets.command("list")
@click.argument("inventory")
@json_option
def list_(inventory: str, as_json: bool) -> None:
    """Names, fingerprints of versions, and who needs each; never a value. Missing ones are marked."""
    with truthful():
        rows, doubt = listed(needed(source_of(inventory)))
    if doubt:
        click.echo(f"{doubt}: is wrong, so who needs what may not be all (./slipway validate {inventory})", err=True)
    if as_json:
        click.echo(json.dumps([asdict(row) for row in rows], indent=2))
    else:
        _show(rows)


def _show(rows: list[Listed]) -> None:
    table = Table()
    for title in ("Secret", "Version", "Needed by", "Note"):
        table.add_column(title, overflow="fold")
    for row in rows:
        style = "bold red" if row.is_wrong else None
        table.add_row(row.name, row.fingerprint or "-", ", ".join(row.needed_by) or "-", row.note, style=style)
    Terminal().print(table) if rows else click.echo("No secrets yet, and nobody needs one.")


@secrets.command("set")
@click.argument("inventory")
@click.argument("name")
@click.option(
    "--generate", metavar="[LENGTH]", is_flag=False, flag_value=str(LENGTH), default=None,
    help=f"Draw a value of so many letters and digits, {LENGTH} unless said.",
)  # fmt: skip
def set_(inventory: str, name: str, generate: str | None) -> None:
    """Give NAME a value, from standard input or a prompt that shows nothing.

    A password that a server checks is better changed by `rotate`: of this one only the new value is taken.
    """
    with truthful():
        source = needed(source_of(inventory))
        _check_name(name, source)
        store = source.store()
        with source.refusing():
            known = store.names()
        if phase_in(name, known, source) is not Phase.STEADY:
            hint = f"finish it: ./slipway secrets rotate {inventory} {name}"
            raise BadInput([Problem(source.place, f"{name!r} is being rotated", hint)])
        value = drawn(generate) if generate else value_given(name)
        with source.refusing():
            store.edit({name: value})
    click.echo(
        f"{name} is {'changed' if name in known else 'set'} in {store.name}; ./slipway deploy {inventory} brings it"
    )


def _check_name(name: str, source: Source) -> None:
    refuse_reserved(name, source)
    if not _NAME.fullmatch(name):
        hint = "letters, digits, . _ - and /, a letter or digit first"
        raise BadInput([Problem("secret", f"{name[:60]!r} is no name of one", hint)])
