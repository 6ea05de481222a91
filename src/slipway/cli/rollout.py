"""pause, resume, abort, canary: a rollout in progress, from another terminal, or one whose controller is gone."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import NoReturn

from slipway.cli.outcome import FAILED, end, truthful  # first: it patches for gevent

# isort: split
import click
from pyinfra.api.host import Host

from slipway.cli.deploy import json_option, quiet_pyinfra, wait_option
from slipway.cli.watch import watched
from slipway.engine import audit, journal
from slipway.engine.from_record import connected_to_release
from slipway.engine.lock import Claim, is_held, locked
from slipway.engine.roll import edges_of
from slipway.engine.run import ROLL, Run
from slipway.engine.session import connected, reached
from slipway.engine.session import deploy as deploy_run
from slipway.engine.way_back import go_back
from slipway.printable import say
from slipway.problems import BAD_INPUT
from slipway.remote import Remote, RemoteFailed
from slipway.rollout import Canary, Edges
from slipway.who import who


@click.command()
@click.argument("inventory")
def pause(inventory: str) -> None:
    """A rollout in progress waits before its next batch, until `resume` or `abort`."""
    with _looking(inventory) as run:
        remotes = _remotes(run)
        if not _is_at_work(remotes):
            end(f"{inventory}: no rollout is in progress, so there is nothing to pause", BAD_INPUT)
        journal.ask(remotes, "pause", who())
        _note(run, remotes, "pause", "asked the rollout in progress to wait")
    say(f"{inventory}: the rollout waits before its next batch: slipway resume {inventory}, or abort")


@click.command()
@click.argument("inventory")
@json_option
@wait_option
def resume(inventory: str, as_json: bool, wait: int) -> None:
    """A rollout that waits goes on; one whose controller died is finished, with the release that it was to bring."""
    with _looking(inventory) as run:
        remotes = _remotes(run)
        noted, at_work = journal.read(remotes), _is_at_work(remotes)
        journal.ask(remotes, "", "")
        entry = next((each.journal for each in noted.values() if each.journal), None)
        wanted = run.release.id if run.release else ""
        if at_work:
            _note(run, remotes, "resume", "asked the rollout in progress to go on")
    if at_work:
        say(f"{inventory}: the rollout goes on")
        return
    if entry is None:
        end(f"{inventory}: no rollout is in progress, and none was left unfinished", BAD_INPUT)
    say(f"{inventory}: going on with release {entry.release}, begun {entry.since} by {entry.who}", err=True)
    _finish(inventory, entry.release, wanted, as_json, wait)


def _finish(inventory: str, release: str, wanted: str, as_json: bool, wait: int, doing: str = "resume") -> NoReturn:
    """Brings the release: from the repository where that is what it has, else from the hosts' records."""
    with truthful(), watched(as_json) as watch:
        if release == wanted:
            session = connected(inventory, (), watch.events)
        else:
            session = connected_to_release(inventory, release, watch.events, is_rollback=False)
        with session as run:
            run.brings_whole = doing == "promote"
            watch.begin(run, doing)
            result = deploy_run(run, doing=doing, wait=wait)
    sys.exit(watch.end(result, run))


@click.command()
@click.argument("inventory")
@json_option
@wait_option
def abort(inventory: str, as_json: bool, wait: int) -> None:
    """A rollout in progress stops, and every host that had moved goes back to what it ran before.

    One whose controller died is taken back here and now. The schema stays as it is.
    """
    with _looking(inventory) as run:
        remotes = _remotes(run)
        if _is_at_work(remotes):
            journal.ask(remotes, "abort", who())
            _note(run, remotes, "abort", "asked the rollout in progress to go back")
            say(f"{inventory}: asked for; the run that is in progress goes back before its next batch")
            return
        entry = next((each.journal for each in journal.read(remotes).values() if each.journal), None)
    if entry is None:
        end(f"{inventory}: no rollout is in progress, and none was left unfinished", BAD_INPUT)
    sys.exit(_take_back(inventory, as_json, wait))


def _take_back(inventory: str, as_json: bool, wait: int) -> int:
    with truthful(), watched(as_json) as watch, connected(inventory, (), watch.events) as run:
        watch.begin(run, "abort")
        result = go_back(run, wait)
    return watch.end(result, run, "Every host serves what it served before.")


@click.group()
@click.argument("inventory")
@click.pass_context
def canary(ctx: click.Context, inventory: str) -> None:
    """The share of sessions of a release that comes by shares (x-slipway.canary)."""
    ctx.obj = inventory


@canary.command("set")
@click.pass_obj
@click.argument("weight", type=click.IntRange(0, 100))
@wait_option
def set_share(inventory: str, weight: int, wait: int) -> None:
    """From now on WEIGHT percent of the sessions go to the new release."""
    with _looking(inventory) as run:
        shares = _shares(run, inventory)
        hosts = _edge_hosts(run)
        claim = Claim(audit.entry(run, f"canary set {weight}", [host.name for host in hosts]), wait)
        with locked(hosts, claim, lambda line: say(line, err=True)) as lock:
            for edges, upstreams, share in shares:
                edges.share(upstreams, replace(share, weight=weight))
            lock.ended(0, f"{weight} % of the sessions")
    say(f"{inventory}: {weight} % of the sessions go to release {shares[0][2].release}")


@canary.command()
@click.pass_obj
@json_option
@wait_option
def promote(inventory: str, as_json: bool, wait: int) -> None:
    """Everybody gets the new release; the one before finishes its requests and stops, host by host."""
    with _looking(inventory) as run:
        _shares(run, inventory)
        entry = next((each.journal for each in journal.read(_remotes(run)).values() if each.journal), None)
        wanted = run.release.id if run.release else ""
    _finish(inventory, entry.release if entry else wanted, wanted, as_json, wait, "promote")


@canary.command("abort")
@click.pass_obj
@json_option
@wait_option
def abort_share(inventory: str, as_json: bool, wait: int) -> None:
    """Everybody gets the release from before; the new one finishes its requests and is removed."""
    with _looking(inventory) as run:
        _shares(run, inventory)
    sys.exit(_take_back(inventory, as_json, wait))


@contextmanager
def _looking(inventory: str) -> Iterator[Run]:
    """A run over the hosts that answer. What could not be asked ends the command with exit 1."""
    quiet_pyinfra()
    with truthful():
        try:
            with reached(inventory) as (run, unreachable):
                for name, why in unreachable.items():
                    say(f"{name}: unreachable: {why}", err=True)
                yield run
        except RemoteFailed as error:
            end(str(error), FAILED)


def _remotes(run: Run) -> list[Remote]:
    """The hosts that a rollout goes through."""
    groups = {group for stage in run.stages if stage.kind == ROLL for group, _ in stage.roles}
    return [Remote(host) for host in run.state.inventory.get_active_hosts() if groups & {*host.groups, "all"}]


def _note(run: Run, remotes: list[Remote], command: str, how: str) -> None:
    audit.note(remotes, audit.entry(run, command, [remote.name for remote in remotes]), how)


def _edge_hosts(run: Run) -> list[Host]:
    groups = {group for stage in run.stages if stage.kind == ROLL for group in stage.through}
    return [host for host in run.state.inventory.get_active_hosts() if groups & set(host.groups)]


def _is_at_work(remotes: list[Remote]) -> bool:
    return any(is_held(remote) for remote in remotes)


def _shares(run: Run, inventory: str) -> list[tuple[Edges, list[str], Canary]]:
    """The edges with the services that two releases share there, and how. Ends the command where there are none."""
    found = []
    for stage in (stage for stage in run.stages if stage.kind == ROLL):
        edges = edges_of(run, stage)
        shared = edges.traffic.admitted(edges.remotes[0]).canaries if edges.traffic and edges.remotes else {}
        if shared:
            found.append((edges, sorted(shared), next(iter(shared.values()))))
    if not found:
        end(f"{inventory}: no release comes by shares now", BAD_INPUT)
    return found
