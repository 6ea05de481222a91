"""A reconcile gives way: to whoever holds a lock, to a canary, and to whoever has been there since it looked."""

from __future__ import annotations

from dataclasses import replace

from slipway.audited import Audit
from slipway.engine.asked import Beforehand, Said, is_superseded, last_to_bring
from slipway.engine.audit import ending_of
from slipway.engine.comparing import Compared, Unfinished
from slipway.engine.in_the_way import InTheWay, InTheWayFact
from slipway.engine.journal import Journal, Standing
from slipway.engine.lock import GivenWay
from slipway.facts.releases import ReleaseRecords, ReleasesFact

SAID = Said(ReleaseRecords("a-1", {"a-1": {"id": "a-1", "when": "then"}}, ("a-1",)))
HOLDER = {"who": "ada@ops1", "since": "08:00", "doing": "deploy lab", "pid": "42", "by": "person"}


def hosts(**said: Said) -> Beforehand:
    return Beforehand(said, {})


def test_nobody_is_at_work() -> None:
    """On hosts without a lock and without a canary."""
    assert hosts(web1=SAID, web2=SAID).at_work == ""


def test_whoever_holds_a_lock_is_named() -> None:
    """With the host; and where they have not said yet who they are, that somebody does."""
    named = replace(SAID, in_the_way=InTheWay(True, HOLDER))
    assert hosts(web1=SAID, web2=named).at_work == ("web2: ada@ops1 has held the lock since 08:00 (deploy lab, pid 42)")
    assert hosts(web1=replace(SAID, in_the_way=InTheWay(True))).at_work == "web1: another run holds the lock"


def test_a_release_that_shares_the_sessions_is_somebodys_work() -> None:
    """Nobody holds a lock meanwhile, and a person decides how it goes on."""
    journal = Journal("Application", "a-1", "b", "ada@ops1", "08:00", ("web1",), "canary")
    told = hosts(web1=replace(SAID, standing=Standing("a-1", journal))).at_work
    assert told == "web1: release b has a share of the sessions since 08:00 (ada@ops1)"


def test_whoever_was_there_meanwhile_is_noticed() -> None:
    """By what a host says of where it stands; a host that was not asked before says nothing of it."""
    before = hosts(web1=SAID, web2=SAID)
    later = replace(SAID, in_the_way=InTheWay(stands="2"))
    assert hosts(web1=SAID, web2=later).changed_since(before) == "web2: another run has been here meanwhile"
    assert hosts(web1=SAID, web2=later).changed_since(before, ["web1"]) == ""
    assert hosts(web1=SAID, web3=later).changed_since(before) == ""


def test_the_audit_says_that_it_gave_way() -> None:
    """Not that it failed."""
    assert ending_of(GivenWay("somebody")) == (75, "gave way")


def test_only_a_run_that_died_is_finished() -> None:
    """One that failed, or that somebody stopped, may have been stopped by what it was to bring."""
    died = Unfinished("b-2", "08:00", "ada@ops1", "")
    failed = replace(died, how="1: stopped in 'Application'")
    assert [Compared({}, {}, {}, each).is_left_to_people("b-2") for each in (died, failed)] == [False, True]
    assert not Compared({}, {}, {}, failed).is_left_to_people("a-1")
    # A host that converges itself cannot tell whether the schema has come, and how far the others are.
    assert Compared({}, {}, {}, died).is_left_to_people("b-2", is_alone=True)
    assert not Compared({}, {}, {}, died).is_left_to_people("a-1", is_alone=True)
    assert not Compared({}, {}, {}).is_left_to_people("a-1")


def test_what_became_of_a_release_is_told_by_the_last_run_that_began_to_bring_it() -> None:
    """Not by one that gave way or was refused, that only asked for something, or that brought another release."""
    began = Audit("1", command="deploy", release="b")
    later = [
        Audit("2", command="reconcile --mend drift", release="b", code=75),
        Audit("3", command="deploy", release="b", code=2),
        Audit("4", command="pause", release="b", code=0),
        Audit("5", command="deploy", release="c", code=1),
    ]
    assert last_to_bring([began, *later], "b") == began
    again = Audit("6", command="resume", release="b", code=1)
    assert last_to_bring([began, *later, again], "b") == again
    assert last_to_bring(later, "b") is None


def test_what_a_host_says_of_lock_and_holds_is_read() -> None:
    """The mark has its process before who it is; a file that is not there has no digest."""
    fact = InTheWayFact()
    assert fact.process(['lock 4711 {"who": "ada@ops1"}']) == InTheWay(True, {"who": "ada@ops1"})
    assert fact.process(["lock "]) == InTheWay(True)
    stands = ["stands '/r/current' -> 'a.json' 11 1.5 6", "stands '/r/log' 12 1.5 80"]
    assert fact.process(["holds []", "sum abc  -", *stands]) == InTheWay(digest="abc", stands="\n".join(stands))


def test_the_last_way_to_what_serves_is_read_from_the_log() -> None:
    """deploy, or rollback."""
    log = ["log 08:00 a-1 ada@ops1 c0ffee deploy", "log 09:00 b-2 ada@ops1 - rollback"]
    assert ReleasesFact().process(log).way == "rollback"
    assert ReleasesFact().process([]).way == ""


def test_a_run_that_died_is_history_once_a_person_has_brought_its_hosts_another_release() -> None:
    """Not by a run that failed, that went to some of them only, that nobody started, or that was before it."""
    hosts = {"web1": "a", "web2": "b"}
    died = Audit("2", command="deploy", release="b", hosts=hosts)
    ended = Audit("3", command="deploy", release="c", hosts=hosts, code=0)
    assert is_superseded([died, ended], died)
    assert is_superseded([died, replace(ended, command="rollback a")], died)
    for other in (
        replace(ended, code=1),
        replace(ended, code=None),
        replace(ended, hosts={"web1": "a"}),
        replace(ended, command="reconcile --mend drift"),
        replace(ended, release="b"),
    ):
        assert not is_superseded([died, other], died), other
    assert not is_superseded([ended, died], died)
