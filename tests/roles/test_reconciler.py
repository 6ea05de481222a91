"""The reconciler role: what it writes, whom it lets in, and what it refuses before anything is touched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from roles.reconciler import access, role
from roles.reconciler.data import Reconciler
from roles.reconciler.identity import authorized
from roles.reconciler.tasks import program, refuse_unfit, service, timer
from slipway.context import Context
from slipway.engine.inventory import own_login
from slipway.fleet import Fleet, Member
from slipway.lab.hosts import HOSTS, hosts_named, hosts_of
from slipway.problems import BadInput
from slipway.reconcile.settings import Reconcile
from slipway.secrets import Secrets
from tests.signing import key_pair

OPS, WEB = Member("ops1", "192.0.2.51", ("reconcilers",)), Member("web1", "192.0.2.11", ("web",))
WATCHED = Reconcile(metrics="/var/lib/prometheus/node-exporter", reports="/srv/re ports", every=600)
PUBLIC = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ2p8Bh9TkDkLmfZLYZbQ0cVCoHIq3m2bVDUVBxQpD2L"


def context(secret: str = "", members: tuple[Member, ...] = (OPS, WEB), watched: Reconcile = WATCHED) -> Context:
    secrets = Secrets("test", {"reconciler_key": secret}.get)
    return Context(members[0], Fleet("production", members), secrets, reconcile=watched)


@pytest.mark.parametrize(
    ("declared", "field"),
    [
        ({"url": "--upload-pack=evil"}, "url"),
        ({"url": "ext::sh -c evil"}, "url"),
        ({"branch": "-x"}, "branch"),
        ({"allowed_signers": ["ann@example.com"]}, "allowed_signers"),
        ({"known_hosts": ["web1"]}, "known_hosts"),
        ({"known_hosts": [f"web1 {PUBLIC}\nweb2 {PUBLIC}"]}, "known_hosts"),
        ({"sources": ['192.0.2.1",command="x']}, "sources"),
        ({"environment": {"A": "1\nB=2"}}, "environment"),
        ({"environment": {"GIT_SSH_COMMAND": "evil"}}, "environment"),
        ({"environment": {"PYTHONPATH": "/tmp"}}, "environment"),
    ],
)
def test_what_would_be_taken_for_something_else_is_refused(declared: dict[str, Any], field: str) -> None:
    """An option for git, a second line, a variable that undoes the protection."""
    with pytest.raises(ValidationError) as raised:
        Reconciler.model_validate(declared)
    assert raised.value.errors()[0]["loc"][0] == field


def test_everything_that_is_missing_is_told_at_once() -> None:
    """A reconciler without a source, signers, host keys or metrics is none."""
    with pytest.raises(BadInput) as raised:
        refuse_unfit(Reconciler(), context())
    assert [problem.where for problem in raised.value.problems] == [
        "reconciler.url",
        "reconciler.allowed_signers",
        "reconciler.known_hosts",
    ]
    with pytest.raises(BadInput, match=r"reconcile\.metrics"):
        refuse_unfit(Reconciler(url="https://git.example.com/ops.git"), context(watched=Reconcile()))


def test_its_key_opens_hosts_from_its_own_address_only(tmp_path: Path) -> None:
    """From the one secret follows the line of every host: commands only, from the reconciler's private address."""
    public = " ".join(key_pair(tmp_path / "key").split()[:2])
    key = (tmp_path / "key").read_text()
    assert authorized(Reconciler(), context(key)) == f'restrict,from="192.0.2.51" {public} reconciler'
    elsewhere = Reconciler(sources=["198.51.100.7", "2001:db8::7"])
    assert authorized(elsewhere, context(key)) == f'restrict,from="198.51.100.7,2001:db8::7" {public} reconciler'


def test_a_secret_that_is_no_key_is_told_without_showing_it() -> None:
    """The name of the secret, and how to make one; nothing of its value."""
    with pytest.raises(BadInput) as raised:
        authorized(Reconciler(), context("c4nary-of-a-key"))
    assert "reconciler_key" in str(raised.value)
    assert "c4nary" not in str(raised.value)


def test_nothing_is_brought_where_nobody_reconciles() -> None:
    """Without the group, neither an operation nor a question for a secret."""
    access.tasks(Reconciler(), context(members=(WEB,)))


def test_the_unit_may_write_where_it_has_to() -> None:
    """Its home, the metrics and the reports, quoted as systemd reads them; its timer has the inventory's interval."""
    data = Reconciler(environment={"HTTPS_PROXY": 'http://a%b"c'})
    lines = service(data, context()).splitlines()
    paths = [line.partition("=")[2] for line in lines if line.startswith("ReadWritePaths")]
    assert paths == ['"/var/lib/slipway-reconciler"', '"/var/lib/prometheus/node-exporter"', '"/srv/re ports"']
    assert 'Environment="HTTPS_PROXY=http://a%%b\\"c"' in lines
    assert "OnUnitActiveSec=600" in timer(data, context())


def test_the_run_is_watched_and_pinned() -> None:
    """`--watched`, what is mended, and the branch or the tag."""
    text = program(Reconciler(mend="none"), context())
    assert 'slipway reconcile "$inventory" --watched --mend "$mend"' in text
    assert "reference=refs/heads/main tag='' mend=none" in text
    assert "reference=refs/tags/v1 tag=v1" in program(Reconciler(tag="v1"), context())


def test_a_controller_with_its_own_login_uses_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reconciler's own account, key and host keys stand over the inventory's; root needs no sudo."""
    assert own_login() == {}
    monkeypatch.setenv("SLIPWAY_SSH_USER", "reconciler")
    monkeypatch.setenv("SLIPWAY_SSH_KEY", "/etc/key")
    assert own_login() == {"ssh_user": "reconciler", "ssh_key": "/etc/key", "_sudo": True}
    monkeypatch.setenv("SLIPWAY_SSH_USER", "root")
    assert own_login() == {"ssh_user": "root", "ssh_key": "/etc/key"}


def test_the_lab_has_a_reconciler_only_where_it_is_asked_for() -> None:
    """`up` without names is the fleet of seven; ops1 comes by its name."""
    assert "ops1" not in {host.name for host in hosts_named(())} == {host.name for host in HOSTS}
    assert [host.name for host in hosts_named(("ops1", "db1"))] == ["db1", "ops1"]
    assert [host.name for host in hosts_of("reconcilers")] == ["ops1"]


def test_the_role_is_todays_with_any_release() -> None:
    """A rollback brings back neither an old key nor an old pin."""
    assert role.of_today
    assert access.of_today
