"""What a rotation has to know: which servers check a secret, who is given it, who still uses the old one."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from slipway import compose
from slipway.engine.declare import declare
from slipway.engine.fleet_wide import Shared
from slipway.engine.inventory import read_inventory
from slipway.engine.run import Run
from slipway.engine.secret_source import Source
from slipway.engine.session import reached
from slipway.paths import project_root
from slipway.problems import BadInput, Problem, Problems
from slipway.remote import Remote, RemoteFailed
from slipway.role import Password, Service
from slipway.secrets import Secrets
from slipway.secrets.versions import NEXT, PREVIOUS, entry, login_variable


@dataclass(frozen=True)
class Use:
    """What the project does with one secret."""

    name: str
    servers: dict[str, list[tuple[str, Password]]] = field(default_factory=dict)
    """Host to the role and the password of each server there that checks it."""
    users: tuple[str, ...] = ()
    """Who else is given it."""
    takes: frozenset[str] = frozenset()
    """Versions besides the present one that the Compose file hands out: next, previous."""
    next_login: str = ""
    """The login that the next value will belong to, where a login has one password only."""
    unmoved: tuple[str, ...] = ()
    """Services that are given it and log in by a name that does not follow."""

    @property
    def passwords(self) -> list[Password]:
        return [password for found in self.servers.values() for _, password in found]

    @property
    def own_login(self) -> str:
        """The first of two logins that take turns; empty where a login takes two passwords."""
        return next((each.logins[0] for each in self.passwords if each.logins), "")

    def told(self) -> str:
        """The servers, for a message: `redis on cache1`."""
        return ", ".join(f"{role} on {host}" for host, found in self.servers.items() for role, _ in found)


def use_of(name: str, source: Source) -> Use:
    """What the project, which must be valid, does with a secret; connects nowhere. Raises BadInput."""
    secrets = source.opened()
    run = declare(source.path, [project_root() / "deploy.py"], secrets=secrets)
    servers = {member.name: found for member in run.fleet if (found := list(_checked_by(run, member.name, name)))}
    users = tuple(user for user in secrets.asked.get(name, {}) if not user.startswith("role "))
    takes = frozenset(kind for kind in (NEXT, PREVIOUS) if secrets.asked.get(entry(name, kind)))
    pairs = {password.logins for found in servers.values() for _, password in found if password.logins}
    if len(pairs) > 1:
        told = " and ".join(sorted(own for own, _ in pairs))
        raise BadInput([Problem(f"secret {name}", f"{told} share it", "give each role a secret of its own")])
    if not pairs:
        return Use(name, servers, users, takes)
    own, second = pairs.pop()
    after = own if secrets.versions(name).login == second else second
    return Use(name, servers, users, takes, after, tuple(_unmoved(name, after, run, source, secrets)))


def _checked_by(run: Run, host: str, name: str) -> Iterator[tuple[str, Password]]:
    ctx = run.context(run.state.inventory.get_host(host))
    for role, data in run.applied.get(host, []):
        yield from ((role.name, each) for each in role.passwords(data, ctx) if each.secret == name)


def _unmoved(name: str, login: str, run: Run, source: Source, secrets: Secrets) -> Iterator[str]:
    """Services that would be given the new password with the old login: the other one changes nothing in them."""
    if run.stack is None:
        return
    shared = Shared(read_inventory(source.path), source.path, Problems())
    variables = {**shared.texts("variables"), login_variable(name): login}
    file = run.stack.directory / "compose.yaml"
    moved = compose.load(file, variables=variables, secret_names=secrets.names)
    for before, after in zip(run.stack.services, moved.services, strict=True):
        refs = [run.stack.secrets[secret.source] for secret in before.secrets]
        given = any(ref.kind == "slipway" and ref.source == name for ref in refs)
        if given and before.fingerprint() == after.fingerprint():
            yield before.name
    for key, native in run.stack.native.items():
        if native != moved.native[key]:
            yield f"{key} (its own role must keep its name)"


LEAVING_SECONDS = 10
"""How long the last sessions may take to end: what a deploy has replaced was stopped before it said so."""


def still_old(use: Use, source: Source) -> list[str]:
    """Who has not got what a deploy has brought: containers of another release; sessions of the version before.

    Raises BadInput, and RemoteFailed where that cannot be told: of a host that does not answer as well.
    """
    with reached(source.inventory) as (run, unreachable):
        for host, why in unreachable.items():
            raise RemoteFailed(host, [f"unreachable: {why}"])
        if left := list(left_behind(_services(run), run.release.id if run.release else "")):
            return left
        deadline = time.monotonic() + LEAVING_SECONDS
        while (found := list(_sessions(run, use))) and time.monotonic() < deadline:
            time.sleep(2)  # what is being stopped ends by itself; nothing tells us when
        return found


def left_behind(services: Iterable[tuple[str, Service]], release: str) -> Iterator[str]:
    """Containers that are of another release, as where one comes by shares, on hosts by name."""
    for host, service in services:
        if service.release and service.release != release:
            yield f"{service.name} on {host} is of release {service.release}: {service.state}"


def _services(run: Run) -> Iterator[tuple[str, Service]]:
    for host in run.state.inventory.get_active_hosts():
        for role, data in run.applied.get(host.name, []):
            if role.carries == "services" and role.status:
                yield from ((host.name, each) for each in role.status(Remote(host), data, run.context(host)))


def _sessions(run: Run, use: Use) -> Iterator[str]:
    versions = run.secrets.versions(use.name)
    seconds = time.time() - float(versions.moved) if versions.moved.isdecimal() else 0
    for host in use.servers:
        remote = Remote(run.state.inventory.get_host(host))
        for role, password in _checked_by(run, host, use.name):
            remote.forget()
            yield from (f"{role} on {host}: {line}" for line in password.sessions(remote, versions, seconds))
