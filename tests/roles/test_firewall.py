"""The role firewall: bad data refused, who is let in, and on real hosts in force, kept and mended."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from roles.firewall import role, verify
from roles.firewall.admitted import admitted
from roles.firewall.data import Firewall
from slipway.context import Context
from slipway.fleet import Fleet, Member
from slipway.secrets import Secrets
from tests.roles.debians import HOSTS, NEW, OLD, Debians


@pytest.mark.parametrize(
    ("declared", "says"),
    [
        ({"ssh_from": ["anywhere"]}, "does not appear to be an IPv4 or IPv6 network"),
        ({"ssh_from": ["10.0.0.1/8"]}, "has host bits set"),
        ({"public_ports": ["80"]}, "valid integer"),
        ({"public_ports": [65536]}, "less than or equal to 65535"),
        ({"extra_rules": [{"ports": []}]}, "at least 1 item"),
        ({"extra_rules": [{"ports": [53], "protocol": "icmp"}]}, "'tcp' or 'udp'"),
        ({"extra_rules": [{"ports": [53], "sources": ["10.0.0.0/8 } accept; drop {"]}]}, "does not appear"),
    ],
)
def test_bad_data_is_refused(declared: dict[str, Any], says: str) -> None:
    """What nft would choke on, or take for a rule, is told before anything is connected to."""
    with pytest.raises(ValidationError, match=says):
        Firewall.model_validate(declared)


FLEET = Fleet(
    "test",
    (
        Member("edge1", "10.0.0.11", ("nginx",), ssh_port=2222),
        Member("worker1", "10.0.0.21", ("workers",)),
        Member("worker2", "fd00::21", ("workers",)),
    ),
)


def matches(host: str, **declared: Any) -> list[str]:
    context = Context(FLEET.member(host), FLEET, Secrets("test", {}.get))
    return [match for rule in admitted(Firewall.model_validate(declared), context) for match in rule.matches]


def test_by_default_the_fleet_and_log_ins_come_in_and_the_edges_are_public() -> None:
    """Members reach whatever they like of each other, everybody reaches sshd, and 80 and 443 on edges only."""
    fleet = ["ip saddr { 10.0.0.11, 10.0.0.21 }", "ip6 saddr { fd00::21 }"]
    assert matches("worker1") == ["tcp dport { 22 }", *fleet]
    assert matches("edge1") == ["tcp dport { 2222 }", *fleet, "tcp dport { 80, 443 }"]


def test_each_field_narrows_or_widens_its_own_rule() -> None:
    """Sources that lie within one another are one; an empty list of ports lets the fleet in to none."""
    found = matches(
        "edge1", ssh_from=["192.0.2.0/24", "192.0.2.7"], public_ports=[], from_fleet=[],
        extra_rules=[{"ports": [443, 53], "protocol": "udp"}],
    )  # fmt: skip
    assert found == ["ip saddr { 192.0.2.0/24 } tcp dport { 2222 }", "udp dport { 53, 443 }"]
    assert matches("worker1", from_fleet=[5432])[1] == "ip saddr { 10.0.0.11, 10.0.0.21 } tcp dport { 5432 }"


def listen(debians: Debians, host: str, port: int) -> None:
    """Something takes connections at a port of the host, for as long as the test lasts."""
    unit = f"systemd-run --quiet --collect --unit=listen-{port} --property=RuntimeMaxSec=300"
    debians.shell(host, f"systemctl stop listen-{port}")  # a killed test's
    debians.told(host, f"{unit} perl -MIO::Socket::INET -e '{LISTENER}' {port}")
    debians.told(host, f"for n in $(seq 100); do ss -Hltn sport = :{port} | grep -q . && exit; sleep 0.1; done; exit 1")


LISTENER = (
    "my $s = IO::Socket::INET->new(LocalPort => $ARGV[0], Listen => 5, ReuseAddr => 1) or die $!; $s->accept while 1"
)


def reaches(debians: Debians, host: str, address: str, port: int) -> bool:
    # What is dropped never answers; what is let in does at once.
    return debians.shell(host, f"timeout 2 bash -c 'exec 3<> /dev/tcp/{address}/{port}'").code == 0


DATA: dict[str, Any] = {"enabled": True, "from_fleet": [7001], "extra_rules": [{"ports": [53], "protocol": "udp"}]}


@pytest.mark.hosts
def test_the_firewall_lets_in_what_it_should_and_stays_so(debians: Debians) -> None:
    """Open and shut ports as a neighbour finds them; a second run changes nothing; taken out of data, it is gone."""
    address = debians.lab.address(OLD)
    for port in (7001, 7002):
        listen(debians, OLD, port)
    debians.bring(role, DATA)
    debians.verify(role, verify, DATA)
    assert [reaches(debians, NEW, address, port) for port in (22, 7001, 7002)] == [True, True, False]
    assert reaches(debians, OLD, address, 7002), "the host itself"
    for host, outcome in debians.bring(role, DATA).items():
        assert outcome.is_unchanged, f"{host}: {outcome}"
        # Docker's engine has one in each of these hosts, for their name server.
        assert "table ip nat" in debians.told(host, "nft list tables"), "another's table was flushed"
    debians.bring(role, {})
    debians.verify(role, verify, {})
    assert reaches(debians, NEW, address, 7002)
    for host, outcome in debians.bring(role, {}).items():
        assert outcome.is_unchanged, f"{host}: {outcome}"
        assert "table ip nat" in debians.told(host, "nft list tables"), "another's table was removed"
    for port in (7001, 7002):
        debians.told(OLD, f"systemctl stop listen-{port}")


@pytest.mark.hosts
def test_what_was_changed_by_hand_is_told_and_undone(debians: Debians) -> None:
    """A rule that was added, the rules on disk, and the unit: each shows in the plan and is as wanted afterwards."""
    debians.bring(role, DATA, [NEW])
    damage = {
        "nft insert rule inet slipway arriving tcp dport 1-65535 accept": ["table inet slipway: changed by hand"],
        "echo >> /etc/slipway/firewall.nft": ["/etc/slipway/firewall.nft: content"],
        "systemctl disable --now slipway-firewall": [
            "table inet slipway: new",
            "slipway-firewall.service: enable, start",
        ],
    }
    for command, planned in damage.items():
        debians.told(NEW, command)
        outcome = debians.bring(role, DATA, [NEW])[NEW]
        assert outcome.planned == planned, command
        debians.verify(role, verify, DATA, [NEW])
    assert debians.bring(role, DATA, [NEW])[NEW].is_unchanged
    debians.bring(role, {}, HOSTS)
