"""What is told of a reconcile reaches who it is for, and an address is told to nobody."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from slipway.reconcile.settings import Reconcile
from slipway.reconcile.watched import sending
from slipway.reconcile.watched.after import after, drill
from slipway.reconcile.watched.courier import ANSWER_SECONDS
from slipway.secrets import Secrets
from tests.listener import CANARY, Listener, listening
from tests.reconcile_sample import BEGAN, clean, found, mended, yielded

pytestmark = pytest.mark.tools


def secrets(**values: str) -> Secrets:
    return Secrets("test", values.get, tuple(values))


def test_a_change_is_posted_as_json_and_no_change_is_not(listener: Listener, tmp_path: Path) -> None:
    """Once when it begins, nothing while it lasts or while somebody else is at work, once when it is over."""
    settings, known = Reconcile(reports=str(tmp_path), notify=["hook"]), secrets(hook=listener.url)
    for number, run in enumerate((clean, found, found, yielded, clean, clean)):
        assert after(run(BEGAN + number * timedelta(minutes=15)), settings, known).failures == []
    first, last = listener.bodies
    assert (first["inventory"], first["outcome"], first["is_urgent"]) == ("production", "failed", True)
    assert "worker3 unseen: no answer from 10.0.0.23 port 22 within 10 s" in first["new"]
    assert first["counts"]["unseen"] == 1
    assert (last["title"], len(last["over"])) == ("slipway production: all clear", len(first["new"]))


def test_a_chat_gets_its_own_format(listener: Listener, tmp_path: Path) -> None:
    """By the library that knows the chats: here Slack's, whose address it knows by its form, sent to ourselves."""
    place = listener.url.replace("http://", "json://")
    assert after(found(), Reconcile(reports=str(tmp_path), notify=["chat"]), secrets(chat=place)).failures == []
    [body] = listener.bodies
    assert body["title"] == "slipway production: 5 new, 1 put right"
    assert "- worker3 unseen" in body["message"]
    assert body["type"] == "failure"


def test_who_could_not_be_told_is_told_next_time(listener: Listener, tmp_path: Path) -> None:
    """Each place for itself; why it failed is said without the address."""
    settings = Reconcile(reports=str(tmp_path), notify=["up", "down"])
    with listening() as other:
        known = secrets(up=listener.url, down=other.url)
        other.status = 500
        done = after(found(), settings, known)
        assert done.failures == ["message to down: it answers 500"]
        assert done.page is not None
        other.status = 200
        assert after(found(BEGAN + timedelta(hours=1)), settings, known).failures == []
        assert (len(listener.bodies), len(other.bodies)) == (1, 2)


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("http://127.0.0.1:1/" + CANARY, "it could not be reached (Connection refused)"),
        ("jsons://127.0.0.1:1/" + CANARY, "it could not be reached, or refused the message"),
        ("gopher://" + CANARY, "its secret is no address that messages can be sent to"),
        (CANARY, "its secret is no address that messages can be sent to"),
        ("http://[" + CANARY, "its secret is no address that messages can be sent to"),
        ("http://127.0.0.1:no/" + CANARY, "its secret is no address that messages can be sent to"),
    ],
)
def test_why_nothing_arrived_is_told_without_the_address(address: str, why: str, tmp_path: Path) -> None:
    """Whatever is wrong with it: an address is a secret."""
    done = after(found(), Reconcile(reports=str(tmp_path), notify=["hook"]), secrets(hook=address))
    assert done.failures == [f"message to hook: {why}"]
    written = [path.read_text() for path in tmp_path.rglob("*") if path.is_file()]
    assert len(written) > 4
    assert not any(CANARY in text for text in written)


def test_a_message_is_not_sent_on_to_another_address(listener: Listener, tmp_path: Path) -> None:
    """It would arrive without its content."""
    listener.status = 302
    done = after(found(), Reconcile(reports=str(tmp_path), notify=["hook"]), secrets(hook=listener.url))
    assert done.failures == ["message to hook: it answers 302"]
    assert [path for _, path, _ in listener.requests] == [f"/{CANARY}"]


def test_one_that_never_answers_costs_nobody_elses_message(listener: Listener, tmp_path: Path) -> None:
    """Each is under way by itself, for a stated time."""
    with socket_that_says_nothing() as silent:
        known = secrets(silent=f"http://127.0.0.1:{silent}/{CANARY}", hook=listener.url)
        done = after(found(), Reconcile(reports=str(tmp_path), notify=["silent", "hook"]), known)
    assert done.failures == [f"message to silent: it does not answer within {ANSWER_SECONDS} s"]
    assert len(listener.bodies) == 1


def test_an_errand_that_does_not_end_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that answers a byte at a time would never be late by itself."""
    monkeypatch.setattr(sending, "ERRAND_SECONDS", 1)
    with socket_that_says_nothing() as silent:
        known = secrets(silent=f"http://127.0.0.1:{silent}/{CANARY}")
        done = after(found(), Reconcile(reports=str(tmp_path), notify=["silent"]), known)
    assert done.failures == ["message to silent: not done within 1 s"]


@contextmanager
def socket_that_says_nothing() -> Iterator[int]:
    """It takes a connection and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_the_heart_beats_while_somebody_looks_after_the_fleet(listener: Listener, tmp_path: Path) -> None:
    """At every run that saw the fleet or yielded to somebody; a run that failed is silent, and that is the alarm."""
    settings, known = Reconcile(reports=str(tmp_path), heartbeat="pulse"), secrets(pulse=listener.url)
    for number, run in enumerate((clean, mended, yielded, found)):
        assert after(run(BEGAN + number * timedelta(minutes=15)), settings, known).failures == []
    assert listener.requests == [("GET", f"/{CANARY}", "")] * 3


def test_a_drill_reaches_every_place_and_is_noted(listener: Listener, tmp_path: Path) -> None:
    """It says that it is one; its last success stays when a later one fails."""
    metrics = tmp_path / "textfiles"
    metrics.mkdir()
    settings = Reconcile(reports=str(tmp_path), notify=["hook"], heartbeat="pulse", metrics=str(metrics))
    known = secrets(hook=listener.url, pulse=listener.url)
    assert drill("production", settings, known) == []
    assert sorted(method for method, _, _ in listener.requests) == ["GET", "POST"]
    assert "this is a drill" in listener.bodies[0]["new"][0]
    listener.status = 500
    assert drill("production", settings, known) == [
        "message to hook: it answers 500",
        "heartbeat to pulse: it answers 500",
    ]
    after(clean(), settings, known)
    text = (metrics / "slipway_reconcile_production.prom").read_text()
    times = dict(line.split(" ") for line in text.splitlines() if line.startswith("slipway_drill_last"))
    success, run = sorted(float(value) for value in times.values())
    assert 0 < success < run
