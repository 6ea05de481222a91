"""Long lines and large inventories: no false time-outs, and a bounded price."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from slipway.lab.hosts import hosts_named
from slipway.lab.inventory import connection_data
from tests.conftest import WHOLE
from tests.faults.runs.hosts import Hosts
from tests.project import ROOT, Project

pytestmark = pytest.mark.hosts


@dataclass
class Line:
    """A relay that runs: where it listens, and afterwards what it has carried."""

    port: int
    carried: dict[str, int] = field(default_factory=dict)


@contextmanager
def line(hosts: Hosts, seconds: float, addresses: list[str]) -> Iterator[Line]:
    words = [
        sys.executable,
        "-m",
        "tests.faults.runs.relay",
        hosts.lab.address("worker1"),
        "22",
        str(seconds),
        *addresses,
    ]
    relay = subprocess.Popen(words, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert relay.stdout
    made = Line(int(relay.stdout.readline()))
    try:
        yield made
    finally:
        made.carried = json.loads(relay.communicate(timeout=30)[0])


def behind(project: Project, hosts: Hosts, port: int, addresses: dict[str, str]) -> None:
    """The project's inventory is these names at these addresses, all of them worker1 behind the line."""
    known = project.path / "known_hosts"
    address = hosts.lab.address("worker1")
    key = next(text for text in hosts.lab.layout.known_hosts.read_text().splitlines() if address in text).split(" ", 1)[
        1
    ]
    known.write_text("".join(f"[{each}]:{port} {key}\n" for each in addresses.values()))
    common = connection_data(hosts.lab.layout, hosts_named(["worker1"])[0])
    members = [
        (name, {**common, "address": each, "ssh_hostname": each, "ssh_port": port, "ssh_known_hosts_file": str(known)})
        for name, each in addresses.items()
    ]
    project.write("inventories/all.py", f"web = {members!r}\n")


def test_a_line_of_300_milliseconds_makes_no_false_time_out(project: Project, hosts: Hosts) -> None:
    """Everything takes its round trips, and all is well; the second run changes nothing."""
    project.write(
        "deploy.py",
        """
        from pyinfra.operations import server
        from slipway.ops import files
        for number in range(3):
            files.put(name=f"Write {number}", path=f"/root/trace-{number}", content="x" * 200000)
        """,
    )
    with line(hosts, 0.15, ["127.0.1.1"]) as made:
        behind(project, hosts, made.port, {"far": "127.0.1.1"})
        first, second = project.slipway("deploy"), project.slipway("deploy")
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert "3 changes" in first.stderr and "No changes" in second.stderr


def test_a_large_inventory_costs_a_bounded_price(project: Project, hosts: Hosts) -> None:
    """500 names (60 in a sampled run), one of them dead: a connection each and no more, at most one time-out of ten
    seconds beyond the work, and memory that a laptop has."""
    count = 500 if os.environ.get(WHOLE) else 60
    addresses = {f"host{number}": f"127.0.{2 + number // 250}.{1 + number % 250}" for number in range(count)}
    # So many at once that sshd would begin to refuse some: that is one sshd's protection, not what is tried here.
    conf = "/etc/ssh/sshd_config.d/many.conf"
    hosts.sh("worker1", f"echo MaxStartups 1000 > {conf}; systemctl reload ssh")
    try:
        with line(hosts, 0, list(addresses.values())) as made:
            # An address of the lab's own network at which nobody is: packets to it are lost.
            behind(project, hosts, made.port, {**addresses, "dead": hosts.lab.address("cache1")})
            before, began = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, time.monotonic()
            done = project.slipway("audit")
            took = time.monotonic() - began
            most = max(before, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) // 1024
    finally:
        hosts.sh("worker1", f"rm {conf}; systemctl reload ssh")
    print(f"{count} names: {took:.1f} s, at most {most} MiB, {made.carried}")
    assert (done.returncode, done.stderr.count("unreachable")) == (0, 1), done.stderr
    assert made.carried == {"accepted": count, "most": count}
    assert took < 20 + count * 0.2
    assert most < 200 + count
