"""What must be true of a Postgres host afterwards, as an operator would look for it."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterator
from typing import Any

from roles.postgres import configuration
from roles.postgres.data import Postgres
from roles.postgres.logins import roles_of
from roles.postgres.tasks import ATTRIBUTES, cluster_of
from slipway.context import Context
from slipway.facts.postgres import Answer, DatabaseFact, DatabasesFact, RolesFact, ServerFact
from slipway.facts.postgres_grants import GrantFact
from slipway.ops.postgres import PRIVILEGES
from slipway.ops.postgres.settings import is_in_force

NOT_ON_A_SOCKET = ("tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_keepalives_count")
"""Settings that a session over the server's socket, as these checks have, sees as 0."""


def check_service(host: Any, data: Postgres, ctx: Context) -> None:
    """The cluster's unit runs, and starts at boot."""
    unit = host.service(cluster_of(data, ctx).unit)
    assert unit.is_running
    assert unit.is_enabled


def check_listens_privately(host: Any, data: Postgres, ctx: Context) -> None:
    """The server listens on its private address and localhost, and nowhere else."""
    wanted = data.listen if data.listen is not None else ["localhost", ctx.host.address]
    allowed = {address for name in wanted for address in _addresses(name)}
    found = {
        _address(line) for line in _lines(host, "ss --no-header --tcp --listening --numeric sport = :%s", data.port)
    }
    assert found
    assert found <= allowed, f"listens on {', '.join(sorted(found - allowed))} too"
    assert allowed - found <= {"::1"}, f"does not listen on {', '.join(sorted(allowed - found))}"


def check_nothing_pending(host: Any, data: Postgres, ctx: Context) -> None:
    """No setting waits for a restart, and the server refuses nothing of what its files say."""
    found = _ask(host, ServerFact(), cluster_of(data, ctx))
    assert found.get("pending") == []
    assert found.get("refused") == []
    assert found.get("refused_hba") == []


def check_settings_in_force(host: Any, data: Postgres, ctx: Context) -> None:
    """Every setting of the role is what the server runs with, whatever other files or ALTER SYSTEM say."""
    wanted = configuration.settings(data, ctx)
    found = _ask(host, ServerFact(), cluster_of(data, ctx), names=tuple(wanted)).get("settings")
    wrong = {
        name: f"{found[name]['setting']} (from {found[name]['file']}), not {value}"
        for name, value in wanted.items()
        if name in found and name not in NOT_ON_A_SOCKET and not is_in_force(value, found[name])
    }
    assert wrong == {}


def check_checksums(host: Any, data: Postgres, ctx: Context) -> None:
    """Pages have checksums, so that a disk that lies is found out."""
    if data.data_checksums or data.enable_data_checksums:
        has = _ask(host, ServerFact(), cluster_of(data, ctx)).get("checksums")
        assert has, "no data checksums. HINT: postgres = {'enable_data_checksums': True} stops the server and adds them"


def check_roles(host: Any, data: Postgres, ctx: Context) -> None:
    """Every role is there with its attributes; a password is stored as a SCRAM verifier."""
    found = _ask(host, RolesFact(), cluster_of(data, ctx))
    for role in roles_of(data, ctx):
        held = found.get(role.name)
        assert (held is not None) == (role.state == "present"), f"role {role.name!r}"
        if held is not None:
            assert {name: held[name] for name in ATTRIBUTES} == {name: getattr(role, name) for name in ATTRIBUTES}
            assert set(role.member_of) <= set(held["member_of"])
            assert held["password"] is not None or role.password is None, f"role {role.name!r} has no SCRAM password"


def check_databases(host: Any, data: Postgres, ctx: Context) -> None:
    """Every database is there, with its owner, its schemas and its extensions."""
    cluster = cluster_of(data, ctx)
    found = _ask(host, DatabasesFact(), cluster)
    for database in data.all_databases:
        held = found.get(database.name)
        assert held is not None, f"no database {database.name!r}"
        assert held["owner"] == database.owner
        assert "CONNECT" not in held["public"] or database.public_may_connect
        inside = _ask(host, DatabaseFact(), cluster, database=database.name)
        assert {each.name for each in database.schemas} <= set(inside.get("schemas"))
        assert {each.name for each in database.wanted_extensions} <= set(inside.get("extensions"))


def check_grants(host: Any, data: Postgres, ctx: Context) -> None:
    """Every role holds the privileges that it was granted."""
    each_with_creator = [(grant, creator) for grant in data.all_grants for creator in {"", grant.future_from or ""}]
    for grant, creator in each_with_creator:
        wanted = PRIVILEGES[grant.on] if "ALL" in grant.privileges else tuple(grant.privileges)
        lacking = _ask(
            host, GrantFact(), cluster_of(data, ctx), database=grant.database, role=grant.role, kind=grant.on,
            privileges=wanted, schema=grant.in_schema, objects=tuple(grant.objects), creator=creator,
        )  # fmt: skip
        assert lacking.said == [], f"{grant.role} lacks {', '.join(wanted)} on {grant.on} of {grant.database}"


def check_who_may_connect(host: Any, data: Postgres, ctx: Context) -> None:
    """pg_hba.conf as the server reads it lets in this host, the application's hosts and whom group_data names."""
    wanted = {
        (str(ipaddress.ip_network(each.address)), each.method)
        for each in configuration.hba_lines(data, ctx)
        if each.address
    }
    assert set(_rules(host, data, ctx)) == wanted


def _rules(host: Any, data: Postgres, ctx: Context) -> Iterator[tuple[str, str]]:
    query = (
        "SELECT coalesce(json_agg(json_build_array(address, netmask, auth_method)), '[]') "
        "FROM pg_hba_file_rules WHERE type <> 'local'"
    )
    cluster = cluster_of(data, ctx)
    said = host.check_output("cd /; runuser -u postgres -- psql -XAtqw -p %s -d postgres -c %s", str(data.port), query)
    for address, netmask, method in json.loads(said):
        assert netmask, f"{cluster.config}/pg_hba.conf names {address}, not a network"
        yield str(ipaddress.ip_network(f"{address}/{_prefix(netmask)}")), method


def _prefix(netmask: str) -> int:
    return bin(int(ipaddress.ip_address(netmask))).count("1")


def _addresses(name: str) -> tuple[str, ...]:
    return ("127.0.0.1", "::1") if name == "localhost" else (name,)


def _address(line: str) -> str:
    """The local address of one line of ss."""
    return line.split()[3].rpartition(":")[0].strip("[]")


def _lines(host: Any, command: str, *arguments: object) -> list[str]:
    said: str = host.check_output(command, *(str(argument) for argument in arguments))
    return [line for line in said.splitlines() if line]


def _ask(host: Any, fact: Any, cluster: Any, **arguments: Any) -> Answer:
    """A fact of the server, read the way operations read it. Fails where the server does not answer."""
    said: str = host.check_output(fact.command(cluster, **arguments).get_raw_value())
    answer: Answer = fact.process(said.splitlines())
    assert answer.state == "here", f"PostgreSQL {cluster.version}/{cluster.cluster} is {answer.state}"
    return answer
