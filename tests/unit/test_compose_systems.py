"""The four systems Slipway must be able to deploy, as the Compose files their teams would bring."""

from __future__ import annotations

from pathlib import Path

import pytest

from slipway.compose import Port, SecretRef, Stack, Volume, host_port, load

FILES = Path(__file__).parent / "compose_files"
VARIABLES = {"VERSION": "1.4.0", "SITE": "agents.example.com", "REDIS_PASSWORD": "from-the-environment"}


def stack(name: str) -> Stack:
    """One of the four."""
    return load(FILES / f"{name}.yaml", variables=VARIABLES, secret_names=["DB_PASSWORD", "db_password"])


def test_botmatrix_workers_follow_the_control_centre_and_update_without_downtime() -> None:
    """Start order, group by constraint, update policy, mounts and the shared plugin folder are as the file says."""
    found = stack("botmatrix")
    assert [service.name for service in found.services] == ["bot-nexus", "bot-worker"]
    worker = found.service("bot-worker")
    assert (worker.x.group, worker.replicas, worker.placement.max_replicas_per_node) == ("workers", 5, 2)
    assert (worker.update.order, worker.update.parallelism, worker.update.max_failure_ratio) == ("start-first", 2, 0.2)
    assert (worker.restart, worker.restart_attempts) == ("on-failure", 5)
    assert worker.volumes == (
        Volume(type="bind", source="/srv/botmatrix/plugins", target="/app/plugins", read_only=True),
        Volume(type="tmpfs", target="/tmp", size=128 * 1024**2),
    )
    (secret,) = worker.secrets
    assert (secret.target, secret.uid, secret.mode) == ("/run/secrets/db_password", 1000, 0o400)
    assert found.service("bot-nexus").environment["DB_HOST"] == "postgres"


def test_botmatrix_data_services_become_native_roles() -> None:
    """Database, owner, password reference, data directory and Redis settings are carried over; nothing is a value."""
    native = stack("botmatrix").native
    postgres, redis = native["postgres"], native["redis"]
    assert (postgres.kind, postgres.version, postgres.data_directory) == ("postgres", "15", "/srv/postgres")
    assert postgres.roles[0].password == SecretRef(name="DB_PASSWORD", kind="slipway", source="DB_PASSWORD")
    assert redis.settings == {"save": "900 1 300 10"}
    assert redis.password == SecretRef(name="REDIS_PASSWORD", kind="environment", source="REDIS_PASSWORD")
    assert native["nginx"].port == 80
    assert "from-the-environment" not in repr(native)


def test_agents_start_in_dependency_order_and_share_fragments() -> None:
    """Six services and the vector store start after what they depend on; anchors and merge keys give each its own."""
    found = stack("agents")
    names = [service.name for service in found.services]
    assert names == [
        *("chromadb", "gateway-agent", "api-server", "websocket-server"),
        *("coordinator-agent", "execution-agent", "memory-agent"),
    ]
    assert found.service("api-server").environment["PORT"] == "8080"
    assert found.service("api-server").healthcheck.test == ("curl -fsS http://localhost:${PORT}/health",)
    assert found.native["postgres"].databases[0].extensions == ("vector",)
    assert found.native["postgres"].settings == {"shared_buffers": "256MB", "max_connections": "200"}


def test_agents_edge_knows_least_connections_and_sticky_sockets() -> None:
    """The two services the edge reaches have their balance, upgrade and time-out of days."""
    api, sockets = stack("agents").web
    assert (api.x.edge.balance, api.x.edge.paths) == ("least_conn", ("/api/",))
    assert (sockets.x.edge.balance, sockets.x.edge.websocket, sockets.x.edge.read_timeout) == (
        "sticky_address",
        True,
        604800,
    )
    assert (api.x.ready.port, api.x.ready.timeout_seconds, sockets.x.ready.timeout_seconds) == (8080, 60, 30)


def test_agents_notes_tell_what_is_not_carried_over() -> None:
    """The nginx configuration, the initial SQL and the network are told of with file and line."""
    notes = "\n".join(stack("agents").notes)
    assert "agents.yaml:128: services.nginx: /etc/nginx/nginx.conf: not carried over: describe routes" in notes
    assert "agents.yaml:33: services.postgres: /docker-entrypoint-initdb.d/init.sql: not carried over" in notes
    assert "agents.yaml:132: networks: left out" in notes


def test_coze_other_databases_run_as_containers() -> None:
    """MySQL and Elasticsearch are services with volumes; Redis is native, its password a mounted secret."""
    found = stack("coze")
    assert [service.name for service in found.services] == ["mysql", "elasticsearch", "backend"]
    search = found.service("elasticsearch")
    assert (search.ulimits["memlock"].soft, search.ulimits["nofile"].hard) == (-1, 65536)
    assert search.resources.limits.memory == 2 * 1024**3
    assert found.native["redis"].password == SecretRef(name="redis_password", kind="slipway", source="redis_password")
    assert found.native["redis"].settings == {"maxmemory": "1gb"}
    backend = found.service("backend")
    assert backend.ports == (Port(published=8080, target=8080),)
    assert (backend.healthcheck.start_period, backend.logging.options) == (90, {"max-size": "10m", "max-file": "3"})
    assert host_port(backend, 2) == 8082


def test_maibot_migration_runs_once_with_its_check() -> None:
    """The migration has its command as words, its check and its time limit; the release history its length."""
    found = stack("maibot")
    assert found.migration.command == ("python", "scripts/migrate.py", "--migrate")
    assert (found.migration.check[-1], found.migration.timeout_seconds) == ("--check", 1800)
    assert found.release.keep_releases == 10


def test_maibot_is_tuned_as_its_file_says() -> None:
    """Postgres and Redis settings, initdb words, hardening and rate limit arrive as written."""
    found = stack("maibot")
    assert found.native["db"].settings["log_line_prefix"] == "%t [%p] "
    assert found.native["db"].initdb_args == ("--data-checksums", "--locale=C")
    assert (found.native["db"].group, found.native["db"].resources.limits.memory) == ("database", 4 * 1024**3)
    assert found.native["cache"].settings["maxmemory-policy"] == "allkeys-lru"
    assert found.native["cache"].port == 6380
    bot = found.service("maibot")
    assert (bot.user, bot.read_only, bot.init, bot.cap_drop) == ("1000:1000", True, True, ("ALL",))
    assert bot.environment["PRICE"] == "5$"
    assert bot.build.target == "runtime"
    limit = bot.x.edge.rate_limit
    assert (limit.requests, limit.per, limit.burst) == (100, "minute", 200)


@pytest.mark.parametrize("name", ["botmatrix", "agents", "coze", "maibot"])
def test_a_stack_is_read_the_same_every_time(name: str) -> None:
    """Two readings of one file are equal, fingerprints and ports included: a release can be recognised."""
    first, second = stack(name), stack(name)
    assert first == second
    assert [each.fingerprint() for each in first.services] == [each.fingerprint() for each in second.services]
    assert [host_port(each, 0) for each in first.web] == [host_port(each, 0) for each in second.web]
