"""demo: from this machine to a running, proven stack on container hosts."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from typing import Any

from slipway.cli.outcome import FAILED, end, truthful  # first: it patches for gevent

# isort: split
import click
from rich.console import Console
from rich.table import Table

from slipway.cli.deploy import quiet_pyinfra
from slipway.cli.watch import watched
from slipway.engine.execute import Result
from slipway.engine.run import Run
from slipway.engine.session import connected
from slipway.engine.session import deploy as deploy_run
from slipway.lab.engine import LabFailed
from slipway.lab.lab import Lab
from slipway.machine import make_ready
from slipway.proving import Edge, NotProven, prove_demo

INVENTORY = "lab"


@click.command()
@click.option("--yes", is_flag=True, help="Consent to what has to be installed and started.")
def demo(yes: bool) -> None:
    """Set up everything, start container hosts, deploy the demo stack onto them, prove it, print what to open."""
    started = time.monotonic()
    quiet_pyinfra()
    _step("This machine")
    make_ready(yes)
    _step("Container hosts")
    with truthful(), _told():
        Lab(say=lambda line: click.echo(f"    {line}", err=True)).up()
        _step("Deploy: ./slipway deploy lab")
        with watched() as watch, connected(INVENTORY, events=watch.events) as run:
            watch.begin(run, "demo")
            result = deploy_run(run)
    if code := watch.end(result, run):
        sys.exit(code)
    _step("Proof, through both edges")
    _prove(run)
    _show_end(run, result, time.monotonic() - started)


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """A lab that does not come up is told in its own words."""
    try:
        yield
    except LabFailed as error:
        end(str(error), FAILED)


def _step(title: str) -> None:
    click.secho(f"==> {title}", bold=True, err=True)


def _prove(run: Run) -> None:
    if run.release is None:
        end("The lab's inventory names no application: set `stack` in group_data/all.py.", FAILED)
    try:
        for edge in _edges(run):
            prove_demo(edge, run.release.id, lambda line: click.echo(f"    {line}", err=True))
    except NotProven as error:
        end(
            f"{error}\n  HINT: ./slipway status lab shows what runs where; ./slipway verify lab checks every role",
            FAILED,
        )


def _edges(run: Run) -> list[Edge]:
    name = run.stack.web[0].x.edge.hosts[0] if run.stack else ""  # type: ignore[union-attr]  # web: those with an edge
    return [Edge(member.name, member.address, name) for member in run.fleet.group("nginx")]


def _show_end(run: Run, result: Result, seconds: float) -> None:
    edges = _edges(run)
    table = Table(title=f"Release {run.release.id if run.release else '-'} on {len(result.hosts)} hosts")
    for name in ("Host", "Address", "Roles", "Changes"):
        table.add_column(name)
    for member in run.fleet:
        roles = dict.fromkeys(role.name.partition("-")[0] for role, _ in run.applied.get(member.name, []))
        table.add_row(member.name, member.address, ", ".join(roles), str(result.hosts[member.name].changed))
    Console().print(table)
    click.echo(_how_to_go_on(edges, seconds))


def _how_to_go_on(edges: list[Edge], seconds: float) -> str:
    urls: Any = "   ".join(f"http://{edge.address}/" for edge in edges)
    return f"""
Up and proven in {seconds:.0f} s. Open:  {urls}

  ./slipway status lab            what runs where
  ./slipway plan lab              nothing to do; edit something on a host and it shows the difference
  ./slipway verify lab            every role checked on every host
  ./slipway lab ssh worker1       look around on a host
  .venv/bin/pyinfra inventories/lab.py deploy.py      the same through plain pyinfra: no changes
  ./slipway lab down              take it all down again"""
