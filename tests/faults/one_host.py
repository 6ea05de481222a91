"""One host of a lab: a role is brought to it as a deploy would, and it is asked past Slipway."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pyinfra import host as current_host

from slipway.context import Context
from slipway.facts.machine import MachineFact
from slipway.fleet import NOMINAL, Fleet, Machine, Member
from slipway.lab.lab import Lab
from slipway.role import Role
from slipway.secrets import Secrets
from tests.roles.convergence import Outcome, converge

HOST = "worker1"


def bring(lab: Lab, role: Role, declared: Mapping[str, Any]) -> Outcome:
    """The role on the host. Raises what validation raises, before anything is touched."""
    role.wanted(declared, context(lab, NOMINAL))

    def tasks(name: str) -> None:
        ctx = context(lab, current_host.get_fact(MachineFact))
        role.tasks(role.wanted(declared, ctx), ctx)

    return converge(lab, [HOST], tasks)[HOST]


def context(lab: Lab, machine: Machine = NOMINAL) -> Context:
    member = Member(HOST, lab.address(HOST), ("web",))
    return Context(member, Fleet("lab", (member,)), Secrets("test", lambda name: "v4lue-of-a-s3cret"), machine=machine)


def shell(lab: Lab, text: str, *words: str) -> str:
    """What a script says that root runs there; it must work."""
    done = lab.exec(HOST, ["bash", "-c", text, "bash", *words])
    assert done.code == 0, f"{text}: {done.stdout}{done.stderr}"
    return done.stdout.rstrip("\n")
