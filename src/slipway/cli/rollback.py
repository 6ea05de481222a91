"""rollback: the release that served before, as it was: images, environment, configuration and units."""

from __future__ import annotations

import sys

from slipway.cli.outcome import truthful  # first: it patches for gevent

# isort: split
import click

from slipway.cli.deploy import json_option, quiet_pyinfra, wait_option
from slipway.cli.watch import watched
from slipway.engine.from_record import connected_to_release
from slipway.engine.run import Run
from slipway.engine.session import deploy as deploy_run
from slipway.printable import say
from slipway.problems import BadInput, Problem


@click.command()
@click.argument("inventory")
@click.argument("release", default="")
@click.option("--limit", multiple=True, hidden=True)
@click.option("--accept-schema", metavar="REVISION", default="", help="Consent to the schema that is there.")
@json_option
@wait_option
@click.option("-v", "--verbose", is_flag=True, help="Show operations that change nothing, too.")
def rollback(
    inventory: str, release: str, limit: tuple[str, ...], accept_schema: str, as_json: bool, wait: int, verbose: bool
) -> None:
    """Bring every host back to RELEASE as it is on record: by default the one that served before this one.

    The schema stays as it is: refused, before anything is touched, where it has moved past what RELEASE declares.
    """
    if limit:
        hint = "leave --limit out; one host is brought to what the others have by a deploy with --limit"
        raise BadInput([Problem("--limit", "a release is the whole fleet's, and goes back as a whole", hint)])
    quiet_pyinfra()
    with (
        truthful(),
        watched(as_json, verbose) as watch,
        connected_to_release(inventory, release, watch.events, accept_schema=accept_schema) as run,
    ):
        watch.begin(run, "rollback")
        _say_where_to(run, as_json)
        result = deploy_run(run, doing="rollback", wait=wait)
    sys.exit(watch.end(result, run))


def _say_where_to(run: Run, as_json: bool) -> None:
    target = run.recalled
    if target is None:
        return
    record = next(iter(target.hosts.values()))
    told = {"release": target.id, "when": record.get("when", ""), "who": record.get("who", ""), "commit": target.commit}
    run.events.tell("rollback", what=target.id, details=told)
    if not as_json:
        commit = f", commit {target.commit}" if target.commit else ""
        say(f"Back to release {target.id} of {told['when']}, by {told['who']}{commit}.", err=True)
