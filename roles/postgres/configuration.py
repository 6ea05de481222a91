"""The two files that a cluster is run by: its settings and who may connect. Pure."""

from __future__ import annotations

from roles.postgres.access import HbaEntry
from roles.postgres.data import Postgres
from roles.postgres.logins import with_second_logins
from roles.postgres.sizing import sized
from slipway.context import Context
from slipway.fleet import NOMINAL
from slipway.ops.postgres.settings import Value, conf_value
from slipway.problems import BadInput, Problem
from slipway.render import render

MOST_SHARED = 0.8
"""Share of a host's memory that shared_buffers may take: with more the server would not start, or not for long."""
_UNITS = {"kB": 1 / 1024, "MB": 1, "GB": 1024, "TB": 1024 * 1024}


def settings(data: Postgres, ctx: Context) -> dict[str, Value]:
    """Every setting of the role, by name. Raises BadInput where shared_buffers does not fit into the host."""
    memory = ctx.machine.memory_mb * data.memory_percent // 100
    wanted: dict[str, Value] = {
        **_own(data, ctx),
        **_logging(data),
        **_sessions(data),
        **sized(memory, ctx.machine.cpus, data.max_connections, data.storage),
        **data.application.settings,
        **data.settings,
    }
    # The Compose file's max_connections is beneath the field, which is what a person wrote for this host.
    if data.max_connections:
        wanted["max_connections"] = data.max_connections
    _refuse_too_much(wanted, ctx)
    return wanted


def _own(data: Postgres, ctx: Context) -> dict[str, Value]:
    listen = data.listen if data.listen is not None else ["localhost", ctx.host.address]
    own: dict[str, Value] = {
        "port": data.port,
        "listen_addresses": ",".join(listen),
        "password_encryption": "scram-sha-256",
    }
    if data.tls_certificate and data.tls_key:
        own |= {"ssl": True, "ssl_cert_file": data.tls_certificate, "ssl_key_file": data.tls_key}
    if data.preload_libraries:
        own["shared_preload_libraries"] = ",".join(data.preload_libraries)
    return own


def _logging(data: Postgres) -> dict[str, Value]:
    return {
        "log_min_duration_statement": data.log_slower_than_ms,
        "log_line_prefix": "%m [%p] %q%u@%d %h ",
        "log_checkpoints": True,
        "log_lock_waits": True,
        "log_temp_files": "10MB",
        "log_autovacuum_min_duration": "60s",
    }


def _sessions(data: Postgres) -> dict[str, Value]:
    return {
        "statement_timeout": f"{data.statement_timeout_seconds}s",
        "idle_in_transaction_session_timeout": f"{data.idle_in_transaction_seconds}s",
        # A client that vanished with its host holds its locks until this notices: two minutes instead of two hours.
        "tcp_keepalives_idle": 60,
        "tcp_keepalives_interval": 10,
        "tcp_keepalives_count": 6,
    }


def _refuse_too_much(wanted: dict[str, Value], ctx: Context) -> None:
    shared = _megabytes(wanted["shared_buffers"])
    if ctx.machine is not NOMINAL and shared > ctx.machine.memory_mb * MOST_SHARED:
        raise BadInput(
            [
                Problem(
                    f"{ctx.host.name}: postgres.settings.shared_buffers",
                    f"{wanted['shared_buffers']} does not fit into the {ctx.machine.memory_mb} MiB of this host",
                    f"take {int(ctx.machine.memory_mb * 0.25)}MB, or leave it to the role",
                )
            ]
        )


def _megabytes(value: Value) -> float:
    """0 for what only the server can read; its own check tells then."""
    text = str(value).strip()
    for unit, factor in _UNITS.items():
        if text.endswith(unit) and text[: -len(unit)].strip().isdigit():
            return int(text[: -len(unit)]) * factor
    return int(text) * 8 / 1024 if text.isdigit() else 0


def settings_file(data: Postgres, ctx: Context) -> str:
    """The drop-in that stands last in conf.d."""
    lines = {name: conf_value(value) for name, value in sorted(settings(data, ctx).items())}
    return render("postgres/90-slipway.conf.j2", settings=lines)


def hba_lines(data: Postgres, ctx: Context) -> list[HbaEntry]:
    """Every line of pg_hba.conf in its order: the socket, this host, what group_data says, the application's hosts."""
    local = [
        HbaEntry(type="local", roles=["postgres"], method="peer"),
        HbaEntry(type="local", method="peer"),
        HbaEntry(address="127.0.0.1/32"),
        HbaEntry(address="::1/128"),
    ]
    own = [*data.hba, *(_with_tls(each, data) for each in data.application.hba)]
    return [*local, *with_second_logins(own, data, ctx)]


def _with_tls(entry: HbaEntry, data: Postgres) -> HbaEntry:
    return entry.model_copy(update={"type": "hostssl"}) if data.require_tls else entry


def hba_file(data: Postgres, ctx: Context) -> str:
    """pg_hba.conf, whole."""
    return render("postgres/pg_hba.conf.j2", lines=[entry.line() for entry in hba_lines(data, ctx)])
