"""Two hosts, one of each supported Debian, on which the roles base, docker and redis are tried."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import testinfra

from slipway.context import Context
from slipway.fleet import Fleet, Machine, Member
from slipway.lab.lab import Lab, Result
from slipway.role import Role
from slipway.secrets import Secrets
from tests.roles.convergence import Outcome, converge

NEW, OLD = "worker1", "worker2"
HOSTS = [NEW, OLD]
MACHINES = {
    NEW: Machine("debian", "13", "trixie", "amd64", cpus=2, memory_mb=2048),
    OLD: Machine("debian", "12", "bookworm", "amd64", cpus=2, memory_mb=2048),
}


@dataclass
class Debians:
    """The two hosts, and the ways in which a test reaches them."""

    lab: Lab
    secrets: dict[str, str] = field(default_factory=dict)

    def context(self, host: str) -> Context:
        fleet = Fleet("test", tuple(Member(name, self.lab.address(name), ("workers",)) for name in HOSTS))
        return Context(fleet.member(host), fleet, Secrets("test", self.secrets.get), machine=MACHINES[host])

    def bring(self, role: Role, declared: Mapping[str, Any], hosts: list[str] | None = None) -> dict[str, Outcome]:
        """Brings the role to the hosts as a deploy would; whatever fails there fails the test."""
        outcomes = self.try_to_bring(role, declared, hosts)
        for name, outcome in outcomes.items():
            assert outcome.error == "", f"{name}: {outcome.error}"
        return outcomes

    def try_to_bring(
        self, role: Role, declared: Mapping[str, Any], hosts: list[str] | None = None
    ) -> dict[str, Outcome]:
        def tasks(host: str) -> None:
            context = self.context(host)
            role.tasks(role.wanted(declared, context), context)

        return converge(self.lab, hosts or HOSTS, tasks)

    def run(self, operation: Callable[[], Any], hosts: list[str] | None = None) -> dict[str, Outcome]:
        """Runs one operation, or a few."""
        return converge(self.lab, hosts or HOSTS, lambda host: operation())

    def verify(self, role: Role, checks: Any, declared: Mapping[str, Any], hosts: list[str] | None = None) -> None:
        """Every check of the role's verify module, on each host."""
        for name in hosts or HOSTS:
            host = testinfra.get_host(f"ssh://{name}", ssh_config=str(self.lab.ssh_config), sudo=True)
            context = self.context(name)
            for check_name, check in inspect.getmembers(checks, inspect.isfunction):
                if check_name.startswith("check_"):
                    check(host, role.wanted(declared, context), context)

    def shell(self, host: str, text: str) -> Result:
        """Runs a script as root, past Slipway: what a hand edit or an accident does."""
        return self.lab.exec(host, ["bash", "-c", text])

    def told(self, host: str, text: str) -> str:
        """What a script says; it must work."""
        result = self.shell(host, text)
        assert result.code == 0, f"{host}: {text}\n{result.stdout}{result.stderr}"
        return result.stdout.strip()

    def both(self, text: str) -> None:
        for host in HOSTS:
            self.told(host, text)
