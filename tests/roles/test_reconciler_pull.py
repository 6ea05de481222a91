"""The reconciler in pull mode: what every host gets, and what is refused before anything is touched."""

from __future__ import annotations

from typing import Any

import pytest

from roles.reconciler import access, role
from roles.reconciler.data import Reconciler
from roles.reconciler.here import is_here, is_reached_by_ssh
from roles.reconciler.needs import needs
from roles.reconciler.tasks import program, refuse_unfit, service, timer
from slipway.context import Context
from slipway.fleet import Fleet, Member
from slipway.problems import BadInput
from slipway.pull.place import Place, place_of
from slipway.reconcile.settings import Leases, Reconcile
from slipway.secrets import Secrets

WEB, CACHE = Member("web1", "192.0.2.11", ("web",)), Member("cache1", "192.0.2.31", ("redis",))
FLEET = Fleet("production", (WEB, CACHE))
SIGNER = "ann@example.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ2p8Bh9TkDkLmfZLYZbQ0cVCoHIq3m2bVDUVBxQpD2L"
METRICS = "/var/lib/prometheus/node-exporter"


def pull(**declared: Any) -> Reconciler:
    url = "https://git.example.com/ops.git"
    return Reconciler.model_validate({"pull": True, "url": url, "allowed_signers": [SIGNER], **declared})


def context(source: str = "age secrets.age", **leases: Any) -> Context:
    secrets = Secrets(source, {"redis_password": "long enough"}.get)
    watched = Reconcile(metrics=METRICS, every=3600, leases=Leases.model_validate(leases))
    return Context(WEB, FLEET, secrets, reconcile=watched)


def refused(data: Reconciler, ctx: Context) -> list[str]:
    with pytest.raises(BadInput) as raised:
        refuse_unfit(data, ctx)
    return [problem.where for problem in raised.value.problems]


def test_every_host_gets_the_timer_and_lets_nobody_in() -> None:
    """Without the group; no key is asked for, no account of a controller made."""
    assert is_here(pull(), context())
    assert not is_here(pull(pull=False), context())
    assert list(role.units(pull(), context())) == ["slipway-reconcile.timer"]
    assert needs(pull(), context()).packages
    assert not needs(pull(pull=False), context()).packages
    access.tasks(pull(), context())


def test_a_host_runs_for_itself_as_root_at_some_moment_within_the_interval() -> None:
    """Its own name, no other host's log-in, a run as root, and the delay spread over half of the time."""
    text = program(pull(), context())
    assert "login='' here=web1" in text
    assert '--mend "$mend" ${here:+--here "$here"}' in text
    lines = service(pull(), context()).splitlines()
    assert {"User=root", "KillMode=control-group", "LockPersonality=yes"} <= set(lines)
    assert not [line for line in lines if line.startswith(("ProtectSystem", "CapabilityBoundingSet"))]
    assert "RandomizedDelaySec=1800" in timer(pull(), context())


def test_what_cannot_be_pulled_is_refused_at_once() -> None:
    """No Redis for the turns, no key for encrypted secrets; secrets that only a controller has."""
    assert refused(pull(), context()) == ["reconcile.leases.redis", "reconciler.age_key"]
    assert refused(pull(), context("file secrets.yaml", redis="cache1")) == ["reconciler.pull"]
    refuse_unfit(pull(age_key="hosts_age"), context(redis="cache1"))


def test_a_git_server_that_is_reached_by_ssh_wants_its_host_key() -> None:
    """Otherwise nobody is asked for one."""
    by_ssh = pull(url="ssh://git@git.example.com/ops.git", age_key="hosts_age")
    assert refused(by_ssh, context(redis="cache1")) == ["reconciler.known_hosts"]
    assert is_reached_by_ssh("git@git.example.com:ops.git")
    assert not is_reached_by_ssh("/srv/git/ops.git")
    assert not is_reached_by_ssh("file:///srv/git/ops.git")


def test_the_leases_are_where_the_inventory_says() -> None:
    """A member's address or one as it stands; a name that is neither is told with the nearest one."""
    ctx = context(redis="cache1", password="redis_password")
    found = place_of(ctx.reconcile.leases, FLEET, None, ctx.secrets)
    assert found == Place("192.0.2.31", 6379, "", ctx.secret("redis_password"))
    assert "long enough" not in repr(found)
    assert str(place_of(Leases(redis="192.0.2.99", port=7000), FLEET, None, ctx.secrets)) == "192.0.2.99:7000"
    assert place_of(Leases(), FLEET, None, ctx.secrets) is None
    with pytest.raises(BadInput, match="cache1"):
        place_of(Leases(redis="cahce1"), FLEET, None, ctx.secrets)
