"""What hosts say before they are compared: what was released to them, what is unfinished, who is at work there."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import gevent
from pyinfra.api.host import Host

from slipway.audited import Audit
from slipway.audited import audit as audit_of
from slipway.engine.in_the_way import InTheWay, InTheWayFact
from slipway.engine.journal import Standing, StandingFact
from slipway.engine.lock import LOCK_HELD
from slipway.facts.audit import AuditFact
from slipway.facts.releases import ReleaseRecords, ReleasesFact
from slipway.history import History, history
from slipway.problems import BAD_INPUT
from slipway.remote import Remote, RemoteFailed
from slipway.seam.fence import told

AUDIT_LINES = 200
"""Of each host, for the run that did not finish: the runs since then are few, or somebody has seen it."""


@dataclass(frozen=True)
class Said:
    """One host's answers."""

    records: ReleaseRecords = field(default_factory=ReleaseRecords)
    in_the_way: InTheWay = field(default_factory=InTheWay)
    standing: Standing = field(default_factory=Standing)


@dataclass(frozen=True)
class Beforehand:
    """All hosts' answers."""

    said: Mapping[str, Said]
    """By name, in inventory order; of those that could tell."""
    errors: Mapping[str, str]
    """By name, why the others could not."""

    @property
    def history(self) -> History:
        return history({name: each.records for name, each in self.said.items()})

    @property
    def at_work(self) -> str:
        """Who is at work on a host, in words; empty where nobody is."""
        for name, each in self.said.items():
            if each.in_the_way.is_locked:
                holder = each.in_the_way.holder
                return f"{name}: {told(holder)}" if holder else f"{name}: another run holds the lock"
            journal = each.standing.journal
            if journal and journal.state == "canary":
                shares = f"release {journal.release} has a share of the sessions"
                return f"{name}: {shares} since {journal.since} ({journal.who})"
        return ""

    def changed_since(self, before: Beforehand, hosts: Collection[str] | None = None) -> str:
        """The first host on which somebody has been at work in between; empty where nobody was anywhere.

        + hosts: only these count
        """
        both = [name for name in self.said if name in before.said and (hosts is None or name in hosts)]
        moved = (name for name in both if self._stands(name) != before._stands(name))
        return next((f"{name}: another run has been here meanwhile" for name in moved), "")

    def _stands(self, name: str) -> str:
        return self.said[name].in_the_way.stands


def ask_beforehand(hosts: Iterable[Host]) -> Beforehand:
    """Asks these hosts, all at once."""
    return _beforehand(_on_each(hosts, _said))


def ask_again(hosts: Iterable[Host]) -> Beforehand:
    """Asks these hosts anew, with one question, who is at work and what people hold: without their records."""
    return _beforehand(_on_each(hosts, _said_again))


def _beforehand(found: Mapping[str, Any]) -> Beforehand:
    return Beforehand(
        {name: each for name, each in found.items() if isinstance(each, Said)},
        {name: each for name, each in found.items() if isinstance(each, str)},
    )


def _said(remote: Remote) -> Said:
    # By itself and first: all that is compared is read after it, so that whoever comes meanwhile is seen at the end.
    remote.forget()
    in_the_way = remote.fact(InTheWayFact)
    remote.renew()
    return Said(remote.fact(ReleasesFact), in_the_way, remote.fact(StandingFact))


def _said_again(remote: Remote) -> Said:
    remote.forget()
    return Said(in_the_way=remote.fact(InTheWayFact))


def runs_on(hosts: Iterable[Host]) -> list[Audit]:
    """The last runs that these hosts have on record, oldest first; of those that can tell."""
    found = _on_each(hosts, lambda remote: remote.fact(AuditFact, most=AUDIT_LINES))
    return audit_of({name: each for name, each in found.items() if not isinstance(each, str)})


def last_to_bring(runs: Sequence[Audit], release: str) -> Audit | None:
    """Of these runs, oldest first, the last one that was to bring the release and began to."""
    return next((each for each in reversed(runs) if each.release == release and not _only_spoke(each)), None)


def is_superseded(runs: Sequence[Audit], last: Audit) -> bool:
    """Whether a person's run has since brought all of its hosts another release: what it was to bring is history."""
    since = runs[runs.index(last) + 1 :]
    return any(
        each.code == 0
        and each.command.startswith(("deploy", "rollback"))
        and each.release != last.release
        and each.hosts.keys() >= last.hosts.keys()
        for each in since
    )


def _only_spoke(run: Audit) -> bool:
    """Whether it changed nothing: it left its word for another run, was refused, or gave way."""
    return run.code in (BAD_INPUT, LOCK_HELD) or (run.command in ("pause", "resume", "abort") and run.code == 0)


def _on_each(hosts: Iterable[Host], ask: Any) -> dict[str, Any]:
    jobs = {host.name: gevent.spawn(_answer, host, ask) for host in hosts}
    gevent.joinall(list(jobs.values()), raise_error=True)
    return {name: job.value for name, job in jobs.items()}


def _answer(host: Host, ask: Any) -> Any:
    """What it says; as text, why it could not."""
    try:
        return ask(Remote(host))
    except RemoteFailed as error:
        return str(error)
