"""What a run does with what is found: stops, or tells it and goes on."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from slipway.engine import preflight
from slipway.engine.events import Event, Events
from slipway.preflight.findings import ERROR, FINE, WARNING, Finding

FOUND = [
    *(Finding(f"web{number}", "port", ERROR, "nginx needs 10.0.0.1:80", "stop it") for number in range(20)),
    Finding("web1", "clock", WARNING, "an hour off", "set it"),
    Finding("web1", "disk", FINE, "room"),
]


def begun(monkeypatch: pytest.MonkeyPatch, found: list[Finding], **run: object) -> list[Event]:
    """A run's first step with these findings, and what it tells."""
    monkeypatch.setattr(preflight, "look", lambda run: found)
    told: list[Event] = []
    fleet = SimpleNamespace(inventory="lab")
    standard = {"events": Events(told.append), "fleet": fleet, "is_rollback": False, "despite": frozenset()}
    preflight.stop_at_errors(SimpleNamespace(**{**standard, **run}))  # type: ignore[arg-type]
    return told


def test_an_error_stops_a_run_with_every_error_once_and_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty hosts with one trouble are one line; warnings would only hide it."""
    with pytest.raises(preflight.NotReady) as stopped:
        begun(monkeypatch, FOUND)
    assert str(stopped.value).splitlines() == [
        "not ready, nothing was changed anywhere:",
        "web0, web1, web2, web3, web4, web5, web6 and 13 more: port: nginx needs 10.0.0.1:80",
        "  HINT: stop it",
        "HINT: mend that and run it again; or go on all the same: slipway deploy lab --despite port",
    ]


def test_every_check_that_stops_it_is_named_in_the_way_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is printed can be typed as it stands."""
    with pytest.raises(preflight.NotReady, match=r"--despite port --despite disk$"):
        begun(monkeypatch, [*FOUND, Finding("web1", "disk", ERROR, "full", "free some")])
    told = begun(monkeypatch, FOUND, despite=frozenset({"port"}))
    assert [event.kind for event in told] == ["warning", "warning"]


def test_a_way_back_is_never_barred(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rollback tells the errors and goes on: what it goes back from may be their cause."""
    told = begun(monkeypatch, FOUND, is_rollback=True)
    assert [event.details["check"] for event in told] == ["port", "clock"]
    assert len(told[0].details["hosts"]) == 20
    assert told[1].what == "web1: clock: an hour off; set it"
