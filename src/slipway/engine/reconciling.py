"""One reconcile: compare, say what is what, mend what may be mended, and give way to people."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace

from slipway.engine.alone import alone_of
from slipway.engine.asked import Beforehand, ask_again, ask_beforehand
from slipway.engine.comparing import Compared, compare
from slipway.engine.declare import declare
from slipway.engine.events import Events
from slipway.engine.execute import Result
from slipway.engine.inventory import find_inventory
from slipway.engine.lock import GivenWay, LockHeld
from slipway.engine.mending import Mending, Watching
from slipway.engine.prepare import PrepareFailed
from slipway.engine.run import Run
from slipway.engine.session import attach, know_questions, looking
from slipway.paths import project_root
from slipway.problems import BadInput
from slipway.pull.own_host import refuse_elsewhere
from slipway.reconcile.kinds import is_to_be_mended, told_once
from slipway.reconcile.moving_on import objection
from slipway.reconcile.result import HostReport, Mend, Reconciliation
from slipway.reconcile.watched.after import problems_with
from slipway.release import origin
from slipway.remote import RemoteFailed
from slipway.seam.errors import FactFailed, HostUnreachable
from slipway.who import now, who

CANNOT = (BadInput, PrepareFailed, FactFailed, RemoteFailed, HostUnreachable)
"""What ends a comparison, or a run that mends, and is told in its own words."""


def project_of(inventory: str, is_watched: bool = False, here: str = "") -> Run:
    """What the repository wants, as far as it is known without connecting. Raises BadInput where it is not valid.

    + is_watched: places are to be told, so that their addresses have to be there too
    + here: the host that this runs on and that alone is reconciled
    """
    project = declare(find_inventory(inventory), [project_root() / "deploy.py"])
    if here:
        refuse_elsewhere(project.fleet, here)
        project.alone = alone_of(project, here, origin(project_root()).commit)
    if is_watched and (problems := problems_with(project.reconcile, project.secrets)):
        raise BadInput(problems)
    return project


def reconcile(project: Run, inventory: str, mend: Mend, watching: Watching) -> Reconciliation:
    """Compares every host that answers with the project, and mends what `mend` says.

    It waits for nobody and takes nobody's lock: where somebody is at work, or has been since it looked, it yields.
    """
    started, began = time.monotonic(), now()
    told = Reconciliation(
        project.fleet.inventory, "clean", mend, wanted=project.entry.id if project.entry else "",
        commit=origin(project_root()).commit, who=who(), began=began,
    )  # fmt: skip
    told = _Reconcile(inventory, project, watching).run(told)
    return replace(told, seconds=round(time.monotonic() - started, 3))


class _Reconcile:
    def __init__(self, inventory: str, project: Run, watching: Watching) -> None:
        self._inventory, self._project, self._watching = inventory, project, watching
        self._alone = project.alone
        self._here = project.alone.host if project.alone else ""

    def run(self, told: Reconciliation) -> Reconciliation:
        try:
            before, compared, told = self._look(told)
            why_not = self._objection(before, compared, told) if told.mend == "all" else ""
            told = replace(told, notes=tuple(dict.fromkeys(each for each in (*told.notes, why_not) if each)))
            brings_all = told.mend == "all" and not why_not
            for mending in self._mendings(before, compared, told, brings_all):
                told = self._mended(mending, told)
        except (GivenWay, LockHeld) as error:
            return replace(told, outcome="yielded", errors=(*told.errors, str(error)))
        except CANNOT as error:
            told = replace(told, errors=(*told.errors, str(error)))
        told = told.concluded()
        if self._alone and told.outcome in ("clean", "mended"):
            self._alone.is_well()
        return told

    def _look(self, told: Reconciliation) -> tuple[Beforehand, Compared, Reconciliation]:
        """Raises GivenWay where somebody is at work before it, or was by its end."""
        with looking(self._inventory, self._here) as (state, unreachable):
            run = attach(self._project, state, Events())
            hosts = state.inventory.get_active_hosts()
            know_questions(run, self._project, by="reconcile")
            before = ask_beforehand(hosts)
            _give_way(before.at_work)
            compared = compare(run, self._inventory, before)
            after = ask_again(hosts)
            _give_way(after.at_work or after.changed_since(before))
        reports = tuple(_report(name, unreachable, before, compared) for name in self._names())
        serving = before.history.serving
        told = replace(told, hosts=reports, release=serving.id if serving else "")
        if compared.unfinished:
            told = replace(told, notes=(*told.notes, compared.unfinished.told))
        return before, compared, told

    def _names(self) -> list[str]:
        return [self._here] if self._here else [member.name for member in self._project.fleet]

    def _mendings(
        self, before: Beforehand, compared: Compared, told: Reconciliation, brings_all: bool
    ) -> Iterator[Mending]:
        """The runs that it takes, one for each release on record that hosts are to be brought to."""
        if told.mend == "none" or not any(_is_left(each, brings_all) for each in told.hosts):
            return
        if brings_all:
            everywhere = frozenset(before.said)
            yield Mending(self._inventory, before, compared, everywhere, brings_all=True, alone=self._alone)
            return
        for target in dict.fromkeys(compared.targets.values()):
            hosts = frozenset(host for host, its in compared.targets.items() if its == target)
            if compared.is_left_to_people(target, self._alone is not None) or not any(
                _is_left(each, False) for each in told.hosts if each.name in hosts
            ):
                continue
            release = "" if target == told.wanted else target
            yield Mending(self._inventory, before, compared, hosts, release=release, alone=self._alone)

    def _objection(self, before: Beforehand, compared: Compared, told: Reconciliation) -> str:
        """Why what the repository wants may not be brought by a run that nobody started; empty where it may."""
        if self._alone and self._project.stack and (told.wanted != told.release or compared.unfinished):
            return f"release {told.wanted} is for a push to bring, in order and with its migrations: slipway deploy"
        wanted = self._project.entry.id if self._project.entry else ""
        if compared.is_left_to_people(wanted) and compared.unfinished:
            return compared.unfinished.told
        way = next((each.records.way for each in before.said.values() if each.records.current), "")
        commit = origin(project_root()).commit
        return objection(before.history, wanted, way, commit, _is_built_on)

    def _mended(self, mending: Mending, told: Reconciliation) -> Reconciliation:
        result = mending.run(self._watching, f"reconcile --mend {told.mend}")
        hosts = tuple(_after(each, mending, result) for each in told.hosts)
        brought = mending.brings_all and result.is_ok and told.wanted
        return replace(told, hosts=hosts, release=told.wanted if brought else told.release)


def _is_left(host: HostReport, brings_all: bool) -> bool:
    return any(is_to_be_mended(each, brings_all) and not each.is_mended for each in host.differences)


def _after(host: HostReport, mending: Mending, result: Result) -> HostReport:
    """The host's report with what the run has made of it. Where the run stopped, nothing is called mended."""
    if host.name not in mending.hosts or host.name not in result.hosts:
        return host
    is_mended = result.is_ok
    its = result.hosts[host.name]
    left = {place: its.left.get(place, "") for place in {(each.role, each.operation) for each in host.differences}}
    found = tuple(
        replace(each, left=why) if (why := left[each.role, each.operation])
        else replace(each, is_mended=each.is_mended or (is_mended and is_to_be_mended(each, mending.brings_all)))
        for each in host.differences
    )  # fmt: skip
    return replace(host, differences=found, error=its.error)


def _report(name: str, unreachable: Mapping[str, str], before: Beforehand, compared: Compared) -> HostReport:
    if name in unreachable:
        return HostReport(name, False, unreachable[name])
    if why := before.errors.get(name) or compared.errors.get(name, ""):
        return HostReport(name, why=why)
    return HostReport(
        name, release=before.said[name].records.current, differences=told_once(compared.differences[name]),
        holds=compared.cases[name].holds,
    )  # fmt: skip


def _is_built_on(commit: str) -> bool:
    """Whether the checkout contains that commit; one that it does not know it does not contain."""
    words = ["git", "merge-base", "--is-ancestor", commit, "HEAD"]
    try:
        # Five seconds, as for everything that git is asked: a repository on a dead network drive must not stop a run.
        done = subprocess.run(words, cwd=project_root(), capture_output=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _give_way(why: str) -> None:
    if why:
        raise GivenWay(why)
