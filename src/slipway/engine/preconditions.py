"""Whether a release on record can be run here and now: nobody was between, its secrets, images and schema are there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import gevent
from pyinfra.api.host import Host

from slipway.engine.prepare import PrepareFailed
from slipway.engine.run import Run
from slipway.facts.containers import DockerFact, DockerState
from slipway.facts.releases import ReleaseRecords, ReleasesFact
from slipway.facts.schema import Finished, LastFileMigration, LastMigration
from slipway.history import History
from slipway.images.available import can_be_brought
from slipway.ops.migrations import ledger_of
from slipway.problems import Problem, Problems
from slipway.recorded import Recalled
from slipway.release import container_secret
from slipway.remote import Remote, RemoteFailed
from slipway.schema_guard import UNKNOWN, objection, present_schema, schema_in
from slipway.seam.hosts import forget_answers
from slipway.secrets import Sealed


def read_records(hosts: Iterable[Host]) -> dict[str, ReleaseRecords]:
    """What each host has on record, all asked at once; in inventory order. Raises PrepareFailed."""
    jobs = {host.name: gevent.spawn(Remote(host).fact, ReleasesFact) for host in hosts if host.connected}
    return _answers(jobs, "what is on record")


def look_again(
    run: Run, found: Mapping[str, ReleaseRecords], known: History, release: Recalled, accepted: str | None
) -> None:
    """With every host locked: nobody else has been here meanwhile, and what the release needs is there.

    `accepted` None asks nothing of the schema. Raises BadInput with everything that is missing.
    """
    forget_answers(run.state.inventory)
    now = read_records(run.state.inventory.get_active_hosts())
    problems = Problems()
    for host, before in found.items():
        if host in now and (now[host].current, now[host].attempt) != (before.current, before.attempt):
            problems.add(host, "another run has been here meanwhile", "see ./slipway history, then run it again")
    problems.extend(_missing_secrets(run, release, now))
    problems.extend(_missing_images(run, release))
    if accepted is not None:
        problems.extend(_schema_objections(run, release, known, accepted))
    problems.raise_if_any()


def _missing_secrets(run: Run, release: Recalled, now: Mapping[str, ReleaseRecords]) -> Iterator[Problem]:
    """Directories that are gone from hosts and cannot be written again: today's secret source has other versions."""
    for host, record in release.hosts.items():
        gone = set(record["secrets"]) - now[host].directories if host in now else ()
        for directory in sorted(gone):
            if sealed := _sealed(run, host, directory.rpartition("-")[0]):
                what = (
                    f"the secrets {directory} of release {release.id} are gone, and the source has another {sealed[0]}"
                )
                hint = f"give the source the {sealed[0]} of then, or deploy today's release"
                yield Problem(host, what, hint)


def _sealed(run: Run, host: str, service: str) -> list[str]:
    """Keys of a service's secrets whose value of then is not known here."""
    if run.stack is None:
        return []
    ctx = run.context(run.state.inventory.get_host(host))
    named = (each for each in run.stack.services if f"{run.stack.name}-{each.name}" == service)
    keys = (secret.source for each in named for secret in each.secrets)
    return [key for key in keys if isinstance(container_secret(key, ctx), Sealed)]


def _missing_images(run: Run, release: Recalled) -> Iterator[Problem]:
    """Images that are gone from hosts and that nobody can bring there again."""
    there = _images_on(run, release)
    for host, record in release.hosts.items():
        for ref in record["images"]:
            if not there[host].image_id(ref) and not can_be_brought(release.stack, ref):
                what = f"the image {ref} is gone, and its source here is no longer what it was built from"
                commit = release.commit.removesuffix("-dirty") or "that the release came from"
                yield Problem(host, what, f"check out commit {commit} and deploy that")


def _images_on(run: Run, release: Recalled) -> dict[str, DockerState]:
    hosts = [run.state.inventory.get_host(name) for name in release.hosts]
    jobs = {host.name: gevent.spawn(Remote(host).fact, DockerFact, stack=release.stack.name) for host in hosts}
    return _answers(jobs, "which images are there")


def _answers(jobs: Mapping[str, Any], what: str) -> dict[str, Any]:
    """What each host has answered. Raises PrepareFailed: could not tell is never no."""
    try:
        gevent.joinall(list(jobs.values()), raise_error=True)
    except RemoteFailed as error:
        raise PrepareFailed(f"could not tell {what}, nothing was changed anywhere: {error}") from error
    return {name: job.value for name, job in jobs.items()}


def _schema_objections(run: Run, release: Recalled, known: History, accepted: str) -> Iterator[Problem]:
    target = schema_in(next(iter(release.hosts.values())))
    if target is None:
        return
    try:
        finished = _last_migration(run, release)
    except RemoteFailed as error:
        if accepted != UNKNOWN:
            hint = f"bring the database up; or consent to whatever is there: --accept-schema {UNKNOWN}"
            yield Problem(f"release {release.id}", f"could not tell which schema is there: {error}", hint)
        return
    records = [each.record for each in known.newest_first]
    if problem := objection(target, present_schema(finished, records), accepted):
        yield problem


def _last_migration(run: Run, release: Recalled) -> Finished | None:
    ledger = ledger_of(release.stack, run.fleet)
    if ledger:
        return Remote(run.state.inventory.get_host(ledger.host)).fact(
            LastMigration, database=ledger.name, port=ledger.port
        )
    # The files lie on the host that ran the migrations; another one becomes the first when hosts come and go.
    group = release.stack.service(release.stack.migration.service).x.group if release.stack.migration else ""
    for member in run.fleet.group(group):
        host = run.state.inventory.get_host(member.name)
        if host.connected and (found := Remote(host).fact(LastFileMigration, stack=release.stack.name)):
            return found
    return None
