"""The role postgres on a real host: what it brings there, what it mends, and what it refuses."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import testinfra
from pyinfra import host as current_host

from roles.postgres import Postgres, configuration, verify
from roles.postgres.tasks import cluster_of, tasks
from slipway.context import Context
from slipway.facts.machine import MachineFact
from slipway.facts.postgres import Cluster, LedgerEntry
from slipway.facts.schema import Finished, LastMigration
from slipway.fleet import NOMINAL, Fleet, Member
from slipway.lab.lab import Lab, Result
from slipway.ops import ledger, postgres
from slipway.secrets import Secrets
from slipway.sql import identifier
from tests.labs import lab_of_tests
from tests.roles.convergence import Outcome, converge

pytestmark = pytest.mark.hosts

HOST = os.environ.get("SLIPWAY_TEST_POSTGRES_HOST", "db1")
"""db1 is a Debian 13; worker2 for the same on Debian 12."""
HAS_VECTOR = HOST == "db1"
PASSWORDS = {"app_password": "pä ss'w\\ord$1 ½", "other_password": "another one"}
ODD = "o\"dd \\ 'na;me=1"
DATA: dict[str, Any] = {
    "max_connections": 40,
    "roles": [
        {"name": "app", "password": "app_password"},
        {"name": "readers", "login": False},
        {"name": ODD, "member_of": ["readers", "pg_monitor"], "settings": {"statement_timeout": "5s"}},
    ],
    "databases": [
        {
            "name": "app",
            "owner": "app",
            "schemas": [{"name": "ext"}],
            "extensions": ["pg_trgm", {"name": "uuid-ossp", "in_schema": "ext"}, *(["vector"] if HAS_VECTOR else [])],
        },
        {"name": ODD, "owner": ODD},
    ],
    "grants": [
        {"role": "app", "database": "app", "privileges": ["ALL"]},
        {"role": "readers", "database": "app", "privileges": ["CONNECT"]},
        {"role": "readers", "database": "app", "on": "schema", "privileges": ["USAGE"]},
        {"role": "readers", "database": "app", "on": "tables", "privileges": ["SELECT"], "future_from": "app"},
        {"role": ODD, "database": ODD, "on": "schema", "privileges": ["ALL"]},
    ],
    "application": {"ledger": ["app"]},
}


class Server:
    """One lab host with the role on it, and what a test asks of it."""

    def __init__(self, lab: Lab) -> None:
        self.lab, self.passwords, self.machine = lab, dict(PASSWORDS), NOMINAL
        controller = lab.address(HOST).rpartition(".")[0] + ".1"
        line = {"databases": ["app"], "roles": ["app"], "address": f"{controller}/32"}
        self.data = {**DATA, "hba": [line]}

    def ctx(self) -> Context:
        fleet = Fleet("lab", (Member(HOST, self.lab.address(HOST), ("postgres",)),))
        return Context(fleet.member(HOST), fleet, Secrets("test", self.passwords.get), machine=self.machine)

    def deploy(self, **fields: Any) -> Outcome:
        """The whole role, with these fields changed."""
        return self.run(lambda: tasks(Postgres.model_validate({**self.data, **fields}), self.ctx()))

    def run(self, work: Callable[[], None]) -> Outcome:
        def with_machine(name: str) -> None:
            self.machine = current_host.get_fact(MachineFact)
            work()

        return converge(self.lab, [HOST], with_machine)[HOST]

    @property
    def cluster(self) -> Cluster:
        return cluster_of(Postgres.model_validate(self.data), self.ctx())

    def sh(self, text: str) -> str:
        result = self.lab.exec(HOST, ["sh", "-ec", text])
        assert result.code == 0, f"{text}: {result}"
        return result.stdout.strip()

    def sql(self, query: str, database: str = "app") -> str:
        """Rows of a query as superuser."""
        words = ["runuser", "-u", "postgres", "--", "env", f"PGDATABASE={database}", "psql", "-XAtqw", "-c", query]
        result = self.lab.exec(HOST, words)
        assert result.code == 0, f"{query}: {result}"
        return result.stdout.strip()

    def verify(self) -> None:
        """Every check of the role, as `slipway verify` runs them."""
        host = testinfra.get_host(f"ssh://{HOST}", ssh_config=str(self.lab.ssh_config), sudo=True)
        for name, check in vars(verify).items():
            if name.startswith("check_"):
                check(host, Postgres.model_validate(self.data), self.ctx())


@pytest.fixture(scope="module")
def installed() -> Iterator[tuple[Server, Outcome]]:
    lab = lab_of_tests("test-postgres")
    lab.up([HOST])
    server = Server(lab)
    yield server, server.deploy()
    lab.down()


@pytest.fixture
def server(installed: tuple[Server, Outcome]) -> Server:
    """The server as it is wanted; a test that leaves it otherwise asks for `changed`."""
    assert installed[1].error == ""
    return installed[0]


@pytest.fixture
def changed(server: Server) -> Iterator[Server]:
    """The server, brought back to what is wanted after the test."""
    yield server
    server.passwords = dict(PASSWORDS)
    assert server.deploy().error == ""


def test_a_bare_host_becomes_a_server_that_passes_every_check(installed: tuple[Server, Outcome]) -> None:
    """One run installs, creates, starts and fills the cluster, without a restart; then every check holds."""
    server, outcome = installed
    assert outcome.error == ""
    assert "Restart PostgreSQL" not in outcome.changed
    assert "Reload PostgreSQL" not in outcome.changed
    server.verify()


def test_a_second_run_changes_nothing(server: Server) -> None:
    """Converged means: no operation has a command to run."""
    assert server.deploy().is_unchanged


def test_the_package_created_no_cluster_of_its_own(server: Server) -> None:
    """There is the one cluster that the role created, with checksums."""
    assert server.sh("pg_lsclusters --no-header | wc -l") == "1"
    assert server.sql("SHOW data_checksums") == "on"


def _login(server: Server, password: str, role: str = "app", database: str = "app") -> Result:
    """Over TCP as a client would; the password by the environment."""
    text = 'env "PGPASSWORD=$1" "PGUSER=$2" "PGDATABASE=$3" psql -XAtqw -h 127.0.0.1 -c "SELECT current_user"'
    return server.lab.exec(HOST, ["sh", "-c", text, "sh", password, role, database])


def test_a_role_logs_in_with_its_password_and_no_other(server: Server) -> None:
    """The verifier made here is the one that the server's own client proves, SASLprep of odd characters included."""
    assert _login(server, PASSWORDS["app_password"]).stdout.strip() == "app"
    wrong = _login(server, "guess")
    assert wrong.code != 0
    assert "password authentication failed" in wrong.stderr


def _first_answer(server: Server, database: str) -> bytes:
    """The server's first message to a client that says hello over the network: R asks for a password, E refuses."""
    words = f"user\0app\0database\0{database}\0\0".encode()
    hello = struct.pack("!ii", len(words) + 8, 3 << 16) + words
    # Five seconds: the server is on this machine.
    with socket.create_connection((server.lab.address(HOST), 5432), timeout=5) as connection:
        connection.sendall(hello)
        return connection.recv(4096)


def test_an_address_that_is_named_may_log_in_to_its_database_only(server: Server) -> None:
    """A host of pg_hba.conf is asked for a password; for another database it is refused before that."""
    assert _first_answer(server, "app").startswith(b"R")
    assert b"no pg_hba.conf entry" in _first_answer(server, "postgres")


def sql(statement: str, database: str = "app") -> Callable[[Server], object]:
    return lambda server: server.sql(statement, database)


def shell(text: str) -> Callable[[Server], object]:
    return lambda server: server.sh(f"cd {server.cluster.config}; unit={server.cluster.unit}; {text}")


DRIFT: dict[str, dict[str, tuple[Callable[[Server], object], str]]] = {
    "roles": {
        "attributes": (sql("ALTER ROLE app CREATEDB CONNECTION LIMIT 3"), "role app: NOCREATEDB CONNECTION LIMIT -1, "),
        "password": (sql("ALTER ROLE app PASSWORD 'guess'"), "password"),
        "setting": (sql("ALTER ROLE app SET work_mem = '1GB'"), "work_mem reset"),
        "group": (sql(f"REVOKE readers FROM {identifier(ODD)}"), f"role {ODD}: member of readers"),
    },
    "databases": {
        "grant": (sql("REVOKE CONNECT ON DATABASE app FROM readers"), "grant to readers on database of app: CONNECT"),
        "future grant": (
            sql("ALTER DEFAULT PRIVILEGES FOR ROLE app IN SCHEMA public REVOKE SELECT ON TABLES FROM readers"),
            "grant to readers on tables of app, created by app: SELECT",
        ),
        "owner": (sql(f"ALTER DATABASE {identifier(ODD)} OWNER TO postgres"), f"owner postgres -> {ODD}"),
        "everybody": (sql("GRANT CONNECT ON DATABASE app TO PUBLIC"), "database app: closed to PUBLIC"),
        "extension": (sql("DROP EXTENSION pg_trgm"), "extension pg_trgm in app: new"),
        "its schema": (sql('ALTER EXTENSION "uuid-ossp" SET SCHEMA public'), "moved to ext"),
        "ledger": (sql("DROP TABLE slipway.migration"), "ledger of app: new table"),
    },
    "configuration": {
        "ALTER SYSTEM": (sql("ALTER SYSTEM SET work_mem = '1MB'"), "ALTER SYSTEM undone: work_mem"),
        "pg_hba.conf": (shell("echo 'host all all 0.0.0.0/0 trust' >> pg_hba.conf"), "pg_hba.conf: content"),
        "settings": (shell("echo 'work_mem = 1MB' >> conf.d/90-slipway.conf"), "90-slipway.conf: content"),
        "start": (shell("echo manual > start.conf"), "start.conf: content"),
        "at boot": (shell("systemctl disable postgresql.service"), "postgresql.service: enable"),
        "masked": (shell('systemctl mask "$unit"'), "unmask"),
        "owner of a file": (shell("chown root pg_hba.conf"), "owner root -> postgres"),
    },
    "stopped": {"stopped": (shell('systemctl stop "$unit"'), "start")},
    "masked": {"masked": (shell('systemctl mask --now "$unit"'), "start")},
}
"""Kind of damage to each harm and what the plan must say of it."""


@pytest.mark.parametrize("kind", DRIFT)
def test_drift_is_planned_and_mended(server: Server, kind: str) -> None:
    """Whatever somebody changed by hand is in the plan, is undone without a restart, and then all is well."""
    for harm, _ in DRIFT[kind].values():
        harm(server)
    outcome = server.deploy()
    assert outcome.error == ""
    assert "Restart PostgreSQL" not in outcome.changed
    untold = [name for name, (_, told) in DRIFT[kind].items() if told not in "\n".join(outcome.planned)]
    assert untold == [], outcome.planned
    assert server.deploy().is_unchanged
    server.verify()


def test_a_lost_password_is_set_again(server: Server) -> None:
    """A role without a password, where one is wanted, is given it."""
    server.sql("ALTER ROLE app PASSWORD NULL")
    assert server.deploy().changed == ["Set up a role"]
    assert _login(server, PASSWORDS["app_password"]).code == 0


def test_a_new_password_is_set_once(changed: Server) -> None:
    """A rotated secret is seen without asking the server for what it stores, and set in one run."""
    changed.passwords["app_password"] = PASSWORDS["other_password"]
    assert changed.deploy().changed == ["Set up a role"]
    assert _login(changed, PASSWORDS["other_password"]).code == 0
    assert changed.deploy().is_unchanged


def test_no_password_and_no_verifier_is_in_the_servers_log(changed: Server) -> None:
    """Even a server that logs every statement has neither in its log."""
    logs_all = {"settings": {"log_statement": "all"}}
    assert changed.deploy(**logs_all).error == ""
    changed.passwords["app_password"] = PASSWORDS["other_password"]
    assert changed.deploy(**logs_all).error == ""
    log = changed.sh("cat /var/log/postgresql/*.log")
    assert "SELECT coalesce(json_object_agg(r.rolname" in log, "the log has statements"
    assert PASSWORDS["other_password"] not in log
    assert "SCRAM-SHA-256$4096" not in log.replace("SCRAM-SHA-256$%", "")


def _started(server: Server) -> str:
    return server.sql("SELECT pg_postmaster_start_time()", "postgres")


def test_a_setting_that_a_reload_can_change_does_not_restart(changed: Server) -> None:
    """The server reads the new value and goes on with every session."""
    before = _started(changed)
    outcome = changed.deploy(settings={"work_mem": "3MB"})
    assert outcome.changed == ["Write the settings", "Reload PostgreSQL"]
    assert changed.sql("SHOW work_mem") == "3MB"
    assert _started(changed) == before


def test_a_setting_that_needs_it_restarts_once_and_the_plan_says_so(changed: Server) -> None:
    """max_connections waits for a restart: foretold, done once, and nothing waits afterwards."""
    before = _started(changed)
    outcome = changed.deploy(max_connections=50)
    assert f"{changed.cluster.unit}: restart, for max_connections" in outcome.planned
    assert outcome.changed == ["Write the settings", "Reload PostgreSQL", "Restart PostgreSQL"]
    assert changed.sql("SHOW max_connections") == "50"
    assert _started(changed) != before
    after = _started(changed)
    assert changed.deploy(max_connections=50).is_unchanged
    assert _started(changed) == after


def test_a_run_that_died_between_write_and_reload_is_finished_by_the_next(changed: Server) -> None:
    """What is owed is found by comparing: files newer than what the server has read."""
    data = Postgres.model_validate({**changed.data, "max_connections": 60})
    text = configuration.settings_file(data, changed.ctx())
    path = f"{changed.cluster.config}/conf.d/90-slipway.conf"
    done = changed.lab.exec(HOST, ["sh", "-c", 'printf %s "$1" > "$2"', "sh", text, path])
    assert done.code == 0
    outcome = changed.deploy(max_connections=60)
    assert outcome.changed == ["Reload PostgreSQL", "Restart PostgreSQL"]
    assert changed.sql("SHOW max_connections") == "60"


def test_another_port_takes_one_restart(changed: Server) -> None:
    """While the server still has the old port and its file the new one, operations find it."""
    outcome = changed.deploy(port=5444)
    assert outcome.error == ""
    assert outcome.changed.count("Restart PostgreSQL") == 1
    assert changed.deploy(port=5444).is_unchanged


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"settings": {"shared_bufers": "1GB"}}, 'unrecognized configuration parameter "shared_bufers"'),
        ({"settings": {"work_mem": "much"}}, 'invalid value for parameter "work_mem"'),
        ({"preload_libraries": ["pg_stat_statments"]}, "pg_stat_statments is not installed"),
    ],
)
def test_settings_that_the_server_would_refuse_never_reach_it(
    server: Server, fields: dict[str, Any], told: str
) -> None:
    """The server itself reads the candidate first; what it refuses leaves the old file as it is."""
    path = f"{server.cluster.config}/conf.d/90-slipway.conf"
    before = server.sh(f"cat {path}")
    assert told in server.deploy(**fields).error
    assert server.sh(f"cat {path}") == before


def test_an_extension_that_is_not_there_is_told_with_its_package(server: Server) -> None:
    """The error names the extension, the version, and the field that names a package."""
    databases = [{"name": "app", "owner": "app", "extensions": ["no_such_thing"]}]
    error = server.deploy(databases=databases, grants=[]).error
    assert "has no extension 'no_such_thing'" in error
    assert "HINT: name its package" in error


def test_an_encoding_that_cannot_change_is_refused(server: Server) -> None:
    """A database is never created anew behind its data's back."""
    databases = [{"name": "app", "owner": "app", "encoding": "LATIN1"}]
    error = server.deploy(databases=databases, grants=[]).error
    assert "has encoding UTF8, not LATIN1" in error


def test_a_role_that_is_absent_is_dropped(server: Server) -> None:
    """state: absent removes a role that owns nothing, and only once."""
    server.sql("CREATE ROLE leaver")
    roles = [*DATA["roles"], {"name": "leaver", "state": "absent"}]
    assert server.deploy(roles=roles).changed == ["Drop a role"]
    assert server.deploy(roles=roles).is_unchanged


def test_an_empty_cluster_never_comes_beside_the_data(server: Server) -> None:
    """Another major version is refused, with the command that moves the data, before its package is installed."""
    other = Cluster(99, "main", "/var/lib/postgresql/99/main")
    outcome = server.run(lambda: postgres.nothing_left_behind(name="Refuse", cluster=other))
    assert "would start empty" in outcome.error
    assert f"pg_upgradecluster {server.cluster.version} main" in outcome.error


def _spare(server: Server) -> Cluster:
    version = server.cluster.version
    return Cluster(version, "spare", f"/var/lib/postgresql/{version}/spare")


@pytest.fixture
def spare(server: Server) -> Iterator[Cluster]:
    """A second cluster's name; removed afterwards, so that the next test finds one."""
    cluster = _spare(server)
    yield cluster
    server.sh(f"pg_dropcluster --stop {cluster.version} spare || true; rm -f /var/lib/slipway/creating/*")


def test_a_creation_that_was_cut_short_is_done_again(server: Server, spare: Cluster) -> None:
    """A mark and a half-made directory without a server that ever ran in it: created anew, whole."""
    mark = f"/var/lib/slipway/creating/postgres-{spare.version}-spare"
    server.sh(
        f"mkdir -p {spare.config} {spare.directory} {mark.rpartition('/')[0]}; touch {mark} {spare.directory}/junk; "
        f"echo half > {spare.config}/postgresql.conf; echo {spare.version} > {spare.directory}/PG_VERSION"
    )
    again = [server.run(lambda: postgres.cluster(name="Create", cluster=spare, port=5499)) for _ in range(2)]
    assert [outcome.changed for outcome in again] == [["Create"], []]
    assert again[0].error == ""
    assert server.sh(f"ls {mark} {spare.directory}/junk 2>/dev/null | wc -l") == "0"


def test_checksums_come_to_an_existing_cluster_with_consent(server: Server, spare: Cluster) -> None:
    """The consent stops the cluster, computes them and starts it; the second run has nothing to do."""

    def work(enable: bool) -> None:
        postgres.cluster(name="Create", cluster=spare, port=5499, checksums=False)
        postgres.started(name="Start", cluster=spare)
        if enable:
            postgres.checksums(name="Enable", cluster=spare)

    if server.cluster.version >= 18:
        pytest.skip("a cluster without checksums cannot be asked for this way any more")
    assert server.run(lambda: work(False)).changed == ["Create", "Start"]
    assert server.run(lambda: work(True)).changed == ["Enable"]
    assert server.run(lambda: work(True)).is_unchanged


def _ask_ledger(server: Server, key: str) -> str | None:
    fact = LedgerEntry()
    result = server.lab.exec(HOST, ["sh", "-c", fact.command("app", 5432, key).get_raw_value()])
    assert result.code == 0, str(result)
    lines = [line for line in result.stdout.splitlines() if line]
    return fact.process(lines) if lines else fact.default()


def test_the_ledger_says_which_release_finished_a_migration(server: Server) -> None:
    """Begun is not finished; the first release that finished a key is the one that is told."""
    key = "it's \\ a:'key'"
    for make, release, expected in (
        (ledger.begin_script, "r1", None),
        (ledger.begin_script, "r2", None),
        (ledger.record_script, "r2", "r2"),
        (ledger.record_script, "r3", "r2"),
        (ledger.begin_script, "r4", "r2"),
    ):
        words = make("app", 5432, key, release, "worker1", "c0ffee").get_raw_value()
        assert server.lab.exec(HOST, ["sh", "-c", words]).code == 0
        assert _ask_ledger(server, key) == expected
    assert server.sql("SELECT count(*) FROM slipway.migration WHERE commit = 'c0ffee'") == "1"


def test_the_ledger_of_a_database_that_is_not_there_says_nothing(server: Server) -> None:
    """Before the first deploy there is no database, and no migration has run."""
    result = server.lab.exec(HOST, ["sh", "-c", LedgerEntry().command("nowhere", 5432, "k").get_raw_value()])
    assert (result.code, result.stdout.strip()) == (0, "")


def _last_migration(server: Server, database: str = "app", port: int = 5432) -> Finished | None:
    fact = LastMigration()
    result = server.lab.exec(HOST, ["sh", "-c", fact.command(database, port).get_raw_value()])
    assert result.code == 0, result
    return fact.process(result.stdout.splitlines())


def test_the_last_migration_is_the_newest_that_was_finished(server: Server) -> None:
    """Not one that was begun since, and not one that somebody has run again."""
    server.sql("DELETE FROM slipway.migration")
    assert _last_migration(server) is None
    for write, key, release, expected in (
        (ledger.begin_script, "first", "r1", None),
        (ledger.record_script, "first", "r1", Finished("first", "r1")),
        (ledger.record_script, "second", "r2", Finished("second", "r2")),
        (ledger.record_script, "first", "r3", Finished("second", "r2")),
        (ledger.begin_script, "third", "r4", Finished("second", "r2")),
    ):
        command = write("app", 5432, key, release, HOST).get_raw_value()
        assert server.lab.exec(HOST, ["sh", "-c", command]).code == 0
        assert _last_migration(server) == expected
    server.sql("DELETE FROM slipway.migration")


@pytest.mark.parametrize(("database", "port"), [("nowhere", 5432), ("app", 5999)])
def test_a_schema_that_nobody_can_tell_is_not_none(server: Server, database: str, port: int) -> None:
    """A database that is not there, a server that does not answer: an error, with its own words."""
    result = server.lab.exec(HOST, ["sh", "-c", LastMigration().command(database, port).get_raw_value()])
    assert result.code != 0 and result.stderr
