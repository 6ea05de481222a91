"""Looks at every host before a run changes one: asks all at once, one command each, and has it judged."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import gevent
from pyinfra.api.host import Host

from slipway.engine.prepare import PrepareFailed
from slipway.engine.run import Run
from slipway.facts.containers import DockerFact
from slipway.facts.machine import MachineFact
from slipway.facts.preflight import PreflightFact
from slipway.images.problem import ImageFailed
from slipway.needs import Needs, together
from slipway.preflight.clock import offset_of
from slipway.preflight.findings import ERROR, WARNING, Finding, alike, despite, of, worst_first
from slipway.preflight.judge import judge, words_for
from slipway.preflight.reaching import not_root
from slipway.preflight.subject import Subject
from slipway.problems import BadInput, Problem, named
from slipway.remote import Remote, RemoteFailed
from slipway.seam.hosts import forget_answers
from slipway.secrets import SecretMissing

LOOK_SECONDS = 120
"""Every question of the script has its own limit of seconds; together they stay far below this, under load too."""
ENGINE_SECONDS = 10
"""For this machine's Docker engine to say how large images are: it reads them off its own disk."""


class NotReady(PrepareFailed):
    """Something that the run would fail at, or do harm with. Nothing was changed anywhere."""


def look(run: Run, only: Collection[str] = (), thorough: bool = False) -> list[Finding]:
    """What is found of the run's hosts, all asked at once. Changes nothing.

    + only: names of hosts; all where none is given
    + thorough: tries mirrors also where nothing is to be installed
    """
    # A host that has failed is no longer active.
    everyone = run.state.inventory
    hosts = [host for host in everyone if host.name in only] if only else everyone.get_active_hosts()
    jobs = {host.name: run.state.pool.spawn(look_at, run, host, thorough) for host in hosts}
    gevent.joinall(list(jobs.values()), raise_error=True)
    answers: dict[str, tuple[Subject | None, list[Finding]]] = {name: job.value for name, job in jobs.items()}
    there = {name: subject for name, (subject, _) in answers.items() if subject}
    sizes, engine = _images_here(there.values())
    subjects = {name: replace(subject, image_mib=sizes) for name, subject in there.items()}
    found = [finding for _, findings in answers.values() for finding in findings]
    found += judge(subjects, datetime.now(UTC), engine)
    return worst_first(found, [host.name for host in hosts])


def stop_at_errors(run: Run) -> None:
    """The first step of a run: warnings are told; raises NotReady with every error.

    A run that goes back only tells errors and goes on: what it goes back from may be their cause.
    """
    found = despite(look(run), run.despite)
    errors = of(found, ERROR)
    if errors and not run.is_rollback:
        raise NotReady(_refusal(errors, run.fleet.inventory))
    for hosts, each in alike([*errors, *of(found, WARNING)]):
        run.events.tell("warning", what=told(hosts, each), details={"hosts": hosts, "check": each.check})


def what_stops(run: Run) -> str:
    """What a run would stop at; empty where nothing is found. For one that has failed before it could look."""
    errors = of(look(run), ERROR)
    return _refusal(errors, run.fleet.inventory) if errors else ""


def found_since(run: Run, failed: Collection[str]) -> Iterator[tuple[str, str]]:
    """(host, what is wrong there) of hosts that have failed: it was not so when the run began, or it was let pass.

    A disk that is full by now shows in the words of whatever met it first, and hardly ever by its name.
    """
    cannot_be_asked = ("system", "sudo")
    forget_answers(host for host in run.state.inventory if host.name in failed)
    for each in of(look(run, failed), ERROR) if failed else ():
        if each.check not in cannot_be_asked:
            yield each.host, told([each.host], each).partition(": ")[2]


def told(hosts: list[str], finding: Finding) -> str:
    """A finding on one line."""
    advice = f"; {finding.do}" if finding.do else ""
    return f"{named(hosts)}: {finding.check}: {finding.what}{advice}"


def _refusal(errors: list[Finding], inventory: str) -> str:
    lines = [str(Problem(f"{named(hosts)}: {each.check}", each.what, each.do)) for hosts, each in alike(errors)]
    checks = dict.fromkeys(each.check for each in errors)
    insisting = " ".join(f"--despite {check}" for check in checks)
    way = f"mend that and run it again; or go on all the same: slipway deploy {inventory} {insisting}"
    return "\n".join(["not ready, nothing was changed anywhere:", *lines, f"HINT: {way}"])


def look_at(run: Run, host: Host, thorough: bool = False) -> tuple[Subject | None, list[Finding]]:
    """The host as it is to be judged, None where it cannot be; and what is found before that."""
    try:
        machine = run.machines[host.name] = Remote(host).fact(MachineFact)
        needs, problems = needs_of(run, host)
        misfits = [Finding(host.name, "data", ERROR, f"{each.where}: {each.what}", each.hint) for each in problems]
        facts, asked, answered = Remote(host).fact_when(
            PreflightFact, words=words_for(needs, thorough), _timeout=LOOK_SECONDS, _sudo=True
        )
        offset = offset_of(asked, answered, facts.began, facts.ended)
        images = _images_on(run, host, needs) if facts.docker == "answers" else frozenset()
        return Subject(host.name, machine, needs, facts, offset, images), misfits
    except RemoteFailed as error:
        return None, [not_root(host.name, " / ".join(error.output))]


def _images_on(run: Run, host: Host, needs: Needs) -> frozenset[str]:
    """Which of the images that it needs it has; none where it cannot tell, which stops nothing."""
    if not needs.images or run.stack is None:
        return frozenset()
    try:
        found = Remote(host).fact(DockerFact, stack=run.stack.name)
    except RemoteFailed:
        return frozenset()
    return frozenset(image.ref for image in needs.images if found.image_id(image.ref))


def needs_of(run: Run, host: Host) -> tuple[Needs, list[Problem]]:
    """What the roles of a host need there, and what in their data does not fit it."""
    ctx, needs, problems = run.context(host), list[Needs](), list[Problem]()
    for role, data in run.validated.get(host.name, []):
        try:
            needs.append(role.needs(data, ctx))
        except BadInput as error:
            problems += error.problems
        except SecretMissing as error:
            problems.append(error.problem(f"role {role.name}"))
    return together(needs), problems


def _images_here(hosts: Iterable[Subject]) -> tuple[dict[str, int], str]:
    """Sizes in MiB of images that hosts lack, as far as the engine here has them; and what is wrong with it."""
    lacking = {image.ref: image for each in hosts for image in each.needs.images if image.ref not in each.images}
    if not any(image.is_built for image in lacking.values()):
        return {}, ""
    try:
        with gevent.Timeout(ENGINE_SECONDS, ImageFailed("Docker on this machine", "does not answer")):
            return dict(_sizes(list(lacking))), ""
    except ImageFailed as error:
        return {}, error.problem.what


def _sizes(refs: list[str]) -> Iterator[tuple[str, int]]:
    from docker.errors import ImageNotFound

    from slipway.images.engine import connect

    client: Any = connect()
    for ref in refs:
        try:
            yield ref, client.images.get(ref).attrs["Size"] >> 20
        except ImageNotFound:
            continue  # it is built, or pulled, by the run
