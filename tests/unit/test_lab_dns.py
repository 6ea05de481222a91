"""Which name servers are handed to Docker inside the hosts."""

from __future__ import annotations

from slipway.lab import upstream_dns


def test_the_machines_own_name_servers_are_taken(tmp_path):
    """In order, at most three, comments and options skipped."""
    file = tmp_path / "resolv.conf"
    file.write_text("# hand-made\nsearch lan\nnameserver 10.1.1.1\nnameserver 10.1.1.2 # two\noptions ndots:1\n"
                    "nameserver fd00::53\nnameserver 10.1.1.4\n")  # fmt: skip
    assert upstream_dns((file,)) == ["10.1.1.1", "10.1.1.2", "fd00::53"]


def test_a_stub_on_loopback_is_looked_behind(tmp_path):
    """systemd-resolved answers on 127.0.0.53, which a container cannot reach: its real servers are used."""
    stub, real = tmp_path / "stub", tmp_path / "real"
    stub.write_text("nameserver 127.0.0.53\nnameserver ::1\nnameserver fe80::1%eth0\n")
    real.write_text("nameserver 192.168.1.1\n")
    assert upstream_dns((stub, real)) == ["192.168.1.1"]


def test_without_any_there_are_public_ones(tmp_path):
    """Never an empty list, which would leave Docker to its own choice."""
    broken = tmp_path / "broken"
    broken.write_text("nameserver\nnameserver nonsense\n")
    assert len(upstream_dns((tmp_path / "missing", broken))) == 2
