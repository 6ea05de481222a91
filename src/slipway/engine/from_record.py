"""A run of what the hosts have on record instead of what the project says: the way back, and the way on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from slipway.engine.declare import declare
from slipway.engine.events import Events
from slipway.engine.inventory import find_inventory
from slipway.engine.preconditions import look_again, read_records
from slipway.engine.run import Run
from slipway.engine.session import attach, go_on_without, know_questions, looking
from slipway.history import History, Known, history
from slipway.paths import project_root
from slipway.problems import BadInput, Problem
from slipway.recorded import Recalled, recalled
from slipway.seam.errors import HostUnreachable


@contextmanager
def connected_to_release(
    inventory_name: str,
    wanted: str = "",
    events: Events | None = None,
    *,
    accept_schema: str = "",
    is_rollback: bool = True,
    here: str = "",
) -> Iterator[Run]:
    """A run of the release on record whose id begins with `wanted`, validated and connected, for `session.deploy`.

    Without `wanted` it is the one that `History.before` says. A rollback goes to releases that have served and leaves
    the schema as it is; it is refused, once the hosts are locked, where the schema has moved past what the release
    declares, unless `accept_schema` names what is there. Otherwise a run that came to no end is taken up again: the
    deploy or the rollback that it was.
    + here: the only host that it is about, which this process runs on
    Raises BadInput where it cannot be run, HostUnreachable. Nothing is touched here.
    """
    with looking(inventory_name, here) as (state, unreachable):
        found = read_records(state.inventory)
        known = history(found)
        release = _recalled(_target(known, wanted, is_rollback), is_rollback)
        declared = declare(find_inventory(inventory_name), [project_root() / "deploy.py"], recalled=release)
        run = attach(declared, state, events or Events())
        know_questions(run, declared)
        if unreachable:
            go_on_without(run, HostUnreachable(unreachable, list(found)))
        run.is_rollback = is_rollback or _was_rollback(known, release.id)
        accepted = accept_schema if is_rollback else None
        run.preconditions.append(partial(look_again, run, found, known, release, accepted))
        yield run


def _target(known: History, wanted: str, is_rollback: bool) -> Known:
    if not is_rollback:
        return known.attempted(wanted)
    return known.find(wanted) if wanted else known.before()


def _was_rollback(known: History, identity: str) -> bool:
    attempt = known.attempt
    return attempt is not None and (attempt.id, attempt.way) == (identity, "rollback")


def _recalled(target: Known, is_rollback: bool) -> Recalled:
    if is_rollback and not target.has_served:
        hint = "deploy it again; ./slipway history shows what has served"
        raise BadInput([Problem(f"release {target.id}", "was staged and never served: that is no way back", hint)])
    return recalled(target.id, target.hosts)
