"""Releases: a good one comes without a failed request; a bad one stops at its first host and leaves the old one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.stack.project import Stack, Variant
from tests.stack.traffic import traffic

pytestmark = pytest.mark.hosts


@pytest.fixture
def variant(stack: Stack, tmp_path: Path) -> Variant:
    variant = Variant.of(stack, tmp_path)
    # The demo watches each container for five seconds; here one tells as much.
    variant.edit("monitor: 5s", "monitor: 1s")
    return variant


def addresses(stack: Stack) -> list[str]:
    return [stack.lab.address("edge1"), stack.lab.address("edge2")]


def test_a_release_comes_and_goes_without_a_failed_request(stack: Stack, variant: Variant) -> None:
    """Another environment is another release: rolled host by host while clients ask all along; and back again."""
    old = stack.plan()["release"]
    variant.edit("LOG_LEVEL: INFO", "LOG_LEVEL: WARNING")
    with traffic(addresses(stack), "demo.lab.test") as seen:
        done = variant.slipway("deploy", "lab")
        assert done.returncode == 0, done.stderr
        new = json.loads(variant.slipway("plan", "lab", "--json").stdout)["release"]
        assert stack.served() == {f"worker{n}": {new} for n in (1, 2, 3)}
        variant.edit("LOG_LEVEL: WARNING", "LOG_LEVEL: INFO")
        back = variant.slipway("deploy", "lab")
        assert back.returncode == 0, back.stderr
    print(f"{seen.answers} answers, {len(seen.failures)} failures")
    assert seen.failures == []
    assert seen.releases == [old, new]
    assert stack.served() == {f"worker{n}": {old} for n in (1, 2, 3)}
    # The record holds the file's policy too, and that is the variant's now: put right without touching a container.
    assert "  turn " not in stack.deploy().stderr
    assert stack.plan()["hosts"] == {}
    order = [line.split()[2:] for line in done.stderr.splitlines() if "  turn " in line]
    assert order == [[f"worker{n}", "turn", str(n)] for n in (1, 2, 3)]


def test_history_knows_both_releases(stack: Stack, variant: Variant) -> None:
    """Run after a roll and its way back: both are on record, the one that serves is the newest, and they differ."""
    told = json.loads(stack.slipway("history", "lab", "--json").stdout)
    old = stack.plan()["release"]
    assert told[-1]["release"] == old
    assert sorted(told[-1]["serves_on"]) == sorted(stack.hosts)
    others = [each["id"] for each in told if each["release"] != old]
    assert others, "the release that was rolled back from is still kept"
    assert old in stack.slipway("history", "lab").stdout
    assert json.loads(stack.slipway("show", "lab", old[:8]).stdout)["id"] == told[-1]["id"]
    assert '"services"' in stack.slipway("diff", "lab", others[-1], old).stdout
    unknown = stack.slipway("show", "lab", "nothing")
    assert unknown.returncode == 2
    assert "no host keeps it" in unknown.stderr


def test_a_release_that_never_becomes_ready_stops_at_its_first_host(stack: Stack, variant: Variant) -> None:
    """Exit 1; the first host serves the old release again, the others were not touched and are named; no request
    failed, and the reason is in the error."""
    old = stack.plan()["release"]
    variant.edit("REDIS_PASSWORD_FILE: /run/secrets/redis_password", "REDIS_PASSWORD_FILE: /run/secrets/nobody_has_it")
    with traffic(addresses(stack), "demo.lab.test") as seen:
        done = variant.slipway("deploy", "lab")
    assert done.returncode == 1
    assert seen.failures == []
    assert seen.releases == [old]
    assert stack.served() == {f"worker{n}": {old} for n in (1, 2, 3)}
    assert "nobody_has_it" in done.stderr
    assert "not touched there: worker2, worker3" in done.stderr
    assert stack.plan()["hosts"] == {}


def test_a_failing_migration_stops_before_any_service(stack: Stack, variant: Variant) -> None:
    """What the migration said is in the error, no container was replaced, and the old release serves."""
    old = stack.plan()["release"]
    variant.edit("command: [alembic, upgrade, head]", "command: [alembic, upgrade, no_such_revision]")
    with traffic(addresses(stack), "demo.lab.test") as seen:
        done = variant.slipway("deploy", "lab")
    assert done.returncode == 1
    assert "no_such_revision" in done.stderr
    assert "Stopped in 'Schema'" in done.stderr
    assert seen.failures == []
    assert stack.served() == {f"worker{n}": {old} for n in (1, 2, 3)}
