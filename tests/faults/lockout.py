"""Two bare hosts, changes that would cut us off from them, and what an operator sees of it."""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from slipway.lab.lab import Lab
from slipway.ops.guarded_script import GUARDED
from tests.project import ROOT, Project, new_project

NEW, OLD = "worker1", "worker2"
"""A Debian 13 and a Debian 12."""

SECONDS = 15
"""The shortest time for a confirmation that data may ask for."""

DEPLOY = """\
from roles import firewall, ssh
from roles.base.accounts import accounts
from roles.base.data import Base
from slipway.deploy import converge
from slipway.role import Role

# Of the base role only what may cut us off: the rest would take its time and prove nothing here.
converge("Accounts", {"web": Role("base", data=Base, tasks=accounts)})
converge("Log-ins", {"web": ssh})
converge("Firewall", {"web": firewall})
"""

OTHER_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ5eOfdB2VOMLhPaa3ImRbTG7a6zzdoD6IzBtz4wKGZ4 somebody"


@dataclass(frozen=True)
class Cut:
    """A change that would cut us off: its data, what of it is seen on the host, and what the run says it changed."""

    data: str
    seen: str
    """Exits 0 on the host while it is in force."""
    what: str


def _ours(field: str) -> str:
    return f'base = {{"users": [{{"name": "ops", {field}}}]}}'


_FIREWALL = f'firewall = {{"enabled": True, "confirm_seconds": {SECONDS}, "ssh_from": ["192.0.2.0/24"]}}'
_SSH = f'ssh = {{"enabled": True, "confirm_seconds": {SECONDS}, %s}}'
_TABLE = "nft list table inet slipway 2> /dev/null | grep -q 'tcp dport 22'"
_SUDO = "test -e /etc/sudoers.d/slipway-ops"
CUTS = {
    "a firewall without port 22": Cut(_FIREWALL, _TABLE, "firewall"),
    "an sshd that refuses us": Cut(
        _SSH % '"settings": {"DenyUsers": "ops"}', "sshd -T | grep -q 'denyusers ops'", "sshd"
    ),
    "an sshd that listens elsewhere": Cut(
        _SSH % '"listen_addresses": ["127.0.0.1"]', "ss -Hltn | grep -q 127.0.0.1:22", "sshd"
    ),
    "sudo that wants a password": Cut(_ours('"sudo": ["ALL=(ALL) PASSWD: ALL"]'), _SUDO, "login"),
    "another key": Cut(
        _ours(f'"authorized_keys": ["{OTHER_KEY}"]'), "grep -q somebody /home/ops/.ssh/authorized_keys", "login"
    ),
}


@dataclass(frozen=True)
class Host:
    """One host, a project that deploys to it, and ways past Slipway."""

    project: Project
    name: str

    @property
    def lab(self) -> Lab:
        return self.project.lab

    def wants(self, data: str) -> None:
        self.project.write("group_data/web.py", f"{data}\n")

    def root(self, text: str, *arguments: str) -> str:
        """What a script says, run past SSH; it must work."""
        done = self.lab.exec(self.name, ["sh", "-c", text, "sh", *arguments])
        assert done.code == 0, f"{text}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    def holds(self, text: str) -> bool:
        return self.lab.exec(self.name, ["sh", "-c", text]).code == 0

    def lets_us_in(self) -> bool:
        """Whether a new connection leads to root, as Slipway would come."""
        # A connection that others share says nothing; two seconds, because what is dropped never answers.
        options = ["-o", "ControlPath=none", "-o", "ConnectTimeout=2"]
        words = self.lab.ssh_command(self.name)
        words[-1:] = [*options, words[-1], "sudo", "-n", "true"]
        return subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode == 0

    def wait(self, text: str, seconds: float) -> float:
        """Seconds until a script exits 0 there."""
        began = time.monotonic()
        while not self.holds(text):
            assert time.monotonic() - began < seconds, f"not so after {seconds} s: {text}"
            time.sleep(0.1)  # nothing tells when it is so; bounded above
        return time.monotonic() - began

    def is_armed(self) -> bool:
        """Whether anything waits to be undone: a marker, a timer, or the unit for the next boot."""
        units = "systemctl list-units --state=active,activating,failed --plain --no-legend 'slipway-undo*' | grep -q ."
        return self.holds(f"ls {GUARDED}/armed.* || {units} || ls /etc/systemd/system/slipway-undo*")


def host_in(path: Path, lab: Lab, name: str) -> Host:
    """A project whose only host is this one, with the real roles."""
    project = new_project(path, lab, name)
    for folder in ("roles", "templates"):
        (path / folder).symlink_to(ROOT / folder)
    project.write("deploy.py", DEPLOY)
    return Host(project, name)
