"""inventories/lab.py: what pyinfra reads of the lab."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from slipway.lab import inventory_group
from slipway.lab.layout import layout
from slipway.problems import BadInput

FILE = Path(__file__).parents[2] / "inventories" / "lab.py"
ORDER = {
    "nginx": ["edge1", "edge2"],
    "workers": ["worker1", "worker2", "worker3"],
    "postgres": ["db1"],
    "redis": ["cache1"],
}


def test_pyinfra_reads_its_groups_in_order():
    """pyinfra's own loader takes each list as a group, its hosts in the order written; in a process of its own."""
    program = """
import json, sys
from pyinfra.api import State
from pyinfra.context import ctx_state
from pyinfra_cli.inventory import make_inventory_from_files
with ctx_state.use(State()):
    groups = make_inventory_from_files(sys.argv[1]).groups
print(json.dumps({name: [host.name for host in hosts] for name, hosts in groups.items()}))
"""
    groups = json.loads(subprocess.check_output([sys.executable, "-c", program, FILE], text=True))
    assert {name: groups[name] for name in ORDER} == ORDER


def test_a_host_carries_all_that_a_strict_connection_needs(monkeypatch):
    """Address, user, key and known_hosts: no agent, no prompt, no ~/.ssh."""
    monkeypatch.delenv("SLIPWAY_LAB", raising=False)
    ((name, data),) = inventory_group("postgres")
    state = layout("lab").state
    assert (name, data) == (
        "db1",
        {
            "address": layout("lab").address("db1"),
            "ssh_hostname": layout("lab").address("db1"),
            "ssh_port": 22,
            "ssh_user": "ops",
            "ssh_key": str(state / "id_ed25519"),
            "ssh_known_hosts_file": str(state / "known_hosts"),
            "_sudo": True,
        },
    )


def test_an_unknown_group_is_refused_with_the_nearest_name():
    """A typo in an inventory does not become an empty group."""
    with pytest.raises(BadInput, match="did you mean 'workers'"):
        inventory_group("worker")


def test_reading_it_is_quick_and_asks_no_engine():
    """Under 50 ms of its own time, without the Docker SDK: every pyinfra run pays for it. Best of three."""
    program = (
        "import runpy, sys, time; start = time.process_time(); runpy.run_path(sys.argv[1]); "
        "print(time.process_time() - start, 'docker' in sys.modules)"
    )
    runs = [subprocess.check_output([sys.executable, "-c", program, FILE], text=True).split() for _ in range(3)]
    assert {has_docker for _, has_docker in runs} == {"False"}
    assert min(float(seconds) for seconds, _ in runs) < 0.05
