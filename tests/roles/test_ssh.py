"""The role ssh: bad data refused, the drop-in as it should be, and on real hosts in force, kept and mended."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from roles.ssh import role, verify
from roles.ssh.data import Ssh
from roles.ssh.lockout import lockouts
from roles.ssh.tasks import lines
from slipway.context import Context
from slipway.fleet import Fleet, Member
from slipway.ops.sshd import DROP_IN
from slipway.secrets import Secrets
from tests.roles.debians import HOSTS, NEW, Debians


@pytest.mark.parametrize(
    ("declared", "says"),
    [
        ({"ports": [0]}, "greater than or equal to 1"),
        ({"listen_addresses": ["10.0.0.300"]}, "does not appear to be an IPv4 or IPv6 address"),
        ({"permit_root_login": "without-password"}, "prohibit-password"),
        ({"allow_users": ["ops\nPermitRootLogin yes"]}, "pattern"),
        ({"allow_users": ["ops root"]}, "pattern"),
        ({"settings": {"PORT": "2222"}}, "say it in `ports`"),
        ({"settings": {"Match": "User ops"}}, "a block would swallow"),
        ({"settings": {"Banner": "none\nPermitRootLogin yes"}}, "one line"),
        ({"settings": {"Banner": ""}}, "not empty"),
        ({"settings": {"Banner none\nPermitRootLogin": "yes"}}, "pattern"),
        ({"confirm_seconds": 5}, "greater than or equal to 15"),
    ],
)
def test_bad_data_is_refused(declared: dict[str, Any], says: str) -> None:
    """What sshd would take for something else is told before anything is connected to."""
    with pytest.raises(ValidationError, match=says):
        Ssh.model_validate(declared)


OPS = Member("web1", "10.0.0.1", (), login="ops", ssh_port=2222)


@pytest.mark.parametrize(
    ("member", "declared", "lacks"),
    [
        (OPS, {"ports": [22]}, ["ssh.ports"]),
        (OPS, {"ports": [22, 2222], "allow_users": ["o*", "root"]}, []),
        (OPS, {"allow_users": ["root"]}, ["ssh.allow_users"]),
        (OPS, {"allow_users": ["ops@10.0.0.*"]}, []),
        (replace(OPS, login=""), {"allow_users": ["root"]}, []),
        (replace(OPS, ssh_port=0), {"ports": [2222]}, ["ssh.ports"]),
        (replace(OPS, login="root"), {"permit_root_login": "no"}, ["ssh.permit_root_login"]),
        (OPS, {"permit_root_login": "no"}, []),
    ],
)
def test_what_is_known_to_shut_us_out_is_refused(member: Member, declared: dict[str, Any], lacks: list[str]) -> None:
    """The account and the port that the inventory uses have to stay; what it leaves to ssh_config is not guessed."""
    context = Context(member, Fleet("test", (member,)), Secrets("test", {}.get))
    assert [problem.where for problem in lockouts(Ssh.model_validate(declared), context)] == lacks


def test_no_password_lets_anybody_in_by_default() -> None:
    """Neither typed nor asked for by PAM, and root needs a key."""
    found = dict(lines(Ssh(enabled=True)))
    assert found["PasswordAuthentication"] == "no"
    assert found["KbdInteractiveAuthentication"] == "no"
    assert found["PermitRootLogin"] == "prohibit-password"


DATA: dict[str, Any] = {
    "enabled": True,
    "ports": [22, 2222],
    "allow_users": ["ops", "root"],
    "max_auth_tries": 5,
    "settings": {"X11Forwarding": "no", "AcceptEnv": ["LANG", "LC_*"]},
}


@pytest.mark.hosts
def test_sshd_works_by_our_settings_and_stays_so(debians: Debians) -> None:
    """In force and confirmed; a second run changes nothing; taken out of data, nothing of it is left."""
    before = {host: debians.told(host, "systemctl show -P MainPID ssh") for host in HOSTS}
    debians.bring(role, DATA)
    debians.verify(role, verify, DATA)
    for host, outcome in debians.bring(role, DATA).items():
        assert outcome.is_unchanged, f"{host}: {outcome}"
        assert debians.told(host, "systemctl show -P MainPID ssh") == before[host], "a reload, not a restart"
    debians.bring(role, {})
    debians.verify(role, verify, {})
    for host, outcome in debians.bring(role, {}).items():
        assert outcome.is_unchanged, f"{host}: {outcome}"
        assert "2222" not in debians.told(host, "ss -Hltn")


@pytest.mark.hosts
def test_a_hand_edited_drop_in_is_told_and_undone(debians: Debians) -> None:
    """An edit shows in the plan and is gone afterwards."""
    debians.bring(role, DATA, [NEW])
    debians.told(NEW, f"echo 'PermitRootLogin yes' > {DROP_IN}")
    outcome = debians.bring(role, DATA, [NEW])[NEW]
    assert outcome.planned == [f"{DROP_IN}: content"]
    debians.verify(role, verify, DATA, [NEW])
    debians.bring(role, {}, [NEW])


@pytest.mark.hosts
@pytest.mark.parametrize(
    ("declared", "says"),
    [
        ({"settings": {"PermitTunnel": "perhaps"}}, "PermitTunnel"),
        ({"max_auth_tries": 5}, "maxauthtries would be 3 and not 5: something else in /etc/ssh says so"),
    ],
)
def test_what_sshd_refuses_or_would_not_follow_is_never_written(
    debians: Debians, declared: dict[str, Any], says: str
) -> None:
    """The old configuration stays, nothing is armed, and the reason is told."""
    rival = "/etc/ssh/sshd_config.d/00-a.conf"
    debians.told(NEW, f"echo 'MaxAuthTries 3' > {rival}")
    outcome = debians.try_to_bring(role, {"enabled": True, **declared}, [NEW])[NEW]
    assert says in outcome.error
    assert debians.shell(NEW, f"test -e {DROP_IN} || test -e /var/lib/slipway/guarded").code == 1
    debians.told(NEW, f"rm {rival}; sshd -t")
