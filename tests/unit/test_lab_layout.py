"""A lab's names and addresses are computed, fixed, and its own."""

from __future__ import annotations

import ipaddress

import pytest

from slipway.lab.hosts import HOSTS, hosts_named
from slipway.lab.layout import Layout, free_octet, layout, preferred_octet
from slipway.lab.networks import subnets, taken_octets
from slipway.problems import BadInput


def test_default_lab_has_the_addresses_that_documentation_names(tmp_path):
    """edge1 of the default lab is 10.77.0.11, and so on, on every machine."""
    lab = Layout("lab", tmp_path)
    wanted = {
        "edge1": "10.77.0.11",
        "edge2": "10.77.0.12",
        "worker1": "10.77.0.21",
        "worker2": "10.77.0.22",
        "worker3": "10.77.0.23",
        "db1": "10.77.0.31",
        "cache1": "10.77.0.41",
    }
    assert {host.name: lab.address(host.name) for host in HOSTS} == wanted


def test_lab_mixes_debian_12_and_13():
    """Both supported releases are among the hosts, and within the workers alone."""
    assert {host.debian for host in HOSTS if "workers" in host.groups} == {12, 13}


def test_no_two_hosts_share_name_or_address():
    """The data has no duplicates: they would boot as one."""
    assert len({host.name for host in HOSTS}) == len({host.octet for host in HOSTS}) == len(HOSTS)


def test_another_name_is_another_lab(monkeypatch):
    """The name comes from the argument, else from SLIPWAY_LAB, and decides network, containers and state."""
    monkeypatch.setenv("SLIPWAY_LAB", "mine")
    mine, other = layout(), layout("other")
    assert (mine.name, other.name) == ("mine", "other")
    assert mine.subnet != other.subnet
    assert mine.network != other.network
    assert mine.container("db1") != other.container("db1")
    assert mine.state != other.state


def test_a_settled_octet_wins(tmp_path):
    """Once `up` had to move a lab, inventories follow."""
    (tmp_path / "octet").write_text("9\n")
    assert Layout("mine", tmp_path).address("db1") == "10.77.9.31"


def test_a_taken_network_is_avoided():
    """A named lab moves on to the next free network, and never onto the default lab's."""
    wanted = preferred_octet("mine")
    assert free_octet("mine", set()) == wanted
    assert free_octet("mine", {wanted}) == wanted % 254 + 1
    with pytest.raises(BadInput, match=r"10\.77\."):
        free_octet("mine", set(range(1, 256)))


def test_the_default_lab_never_moves():
    """Its addresses may stand in documents: where they are taken, that is told."""
    with pytest.raises(BadInput, match=r"10\.77\.0\.0/24"):
        free_octet("lab", {0})


def test_networks_of_any_size_take_octets():
    """A /16 of somebody else takes all of them, a small one only its own."""
    assert taken_octets([ipaddress.IPv4Network("10.77.4.128/25"), ipaddress.IPv4Network("192.168.0.0/16")]) == {4}
    assert taken_octets([ipaddress.IPv4Network("10.0.0.0/8")]) == set(range(256))


def test_networks_without_addresses_are_understood():
    """Docker's `host` and `none` networks have no address pool, others an IPv6 one."""
    assert subnets({"IPAM": {"Config": None}}) == []
    assert subnets({"IPAM": {"Config": [{"Subnet": "fd00::/64"}, {"Subnet": "10.77.1.0/24"}]}}) == [
        ipaddress.IPv4Network("10.77.1.0/24")
    ]


@pytest.mark.parametrize("name", ["Lab", "1lab", "a_b", "a/b", "../x", "x" * 21, "a b"])
def test_a_name_that_docker_or_a_path_would_not_take_is_refused(name):
    """A lab's name becomes part of paths, networks and containers."""
    with pytest.raises(BadInput, match="cannot be a lab's name"):
        layout(name)


def test_an_unknown_host_is_refused_with_the_nearest_name():
    """A typo in --hosts ends before anything is started."""
    with pytest.raises(BadInput, match="did you mean 'worker1'"):
        hosts_named(["wrker1"])


def test_hosts_come_in_the_order_of_the_inventory():
    """However they were typed."""
    assert [host.name for host in hosts_named(["db1", "edge1"])] == ["edge1", "db1"]
