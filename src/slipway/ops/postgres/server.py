"""A running server and its configuration: read where it may be read, restarted where nothing less will do."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence

from pyinfra import host
from pyinfra.api import StringCommand, operation

from slipway.disruption import Disruption, disrupts
from slipway.facts.files import PathFact, script
from slipway.facts.postgres import Answer, Cluster, ServerFact, TouchedFact
from slipway.facts.units import UnitFact
from slipway.ops.postgres.psql import run, unknown
from slipway.ops.postgres.settings import Value, is_in_force
from slipway.report import note_change
from slipway.sql import identifier

# The server reads the candidate by itself, as its own user, without starting: unknown names and bad values are errors.
# A library that is not installed would only show at the next start, which then fails.
_CONF_CHECK = """\
cd /; bin=/usr/lib/postgresql/$1/bin
libraries=$(timeout 20 runuser -u postgres -- \\
  "$bin/postgres" -D "$2" -c config_file="$3" -C shared_preload_libraries) || exit 1
IFS=' ,"'
for library in $libraries; do
  case $library in */*) file=$library ;; *) file=/usr/lib/postgresql/$1/lib/$library ;; esac
  [ -e "${file%.so}.so" ] || { echo "shared_preload_libraries: $library is not installed on this host"; exit 1; }
done
"""


def conf_check(cluster: Cluster) -> tuple[str, ...]:
    """Words of the check that a drop-in of postgresql.conf must pass."""
    return ("sh", "-c", _CONF_CHECK, "slipway", str(cluster.version), cluster.directory, "{candidate}")


# A server that replays its log after a crash may take minutes; five is what Debian's own tools wait at most by default.
_ANSWERS = """\
answers() {
  i=0
  until port=$(sed -n 4p "$3/postmaster.pid" 2>/dev/null) && [ -n "$port" ] &&
        "/usr/lib/postgresql/$1/bin/pg_isready" -q -h /var/run/postgresql -p "$port"; do
    i=$((i + 1))
    if [ "$i" -gt 1500 ] || ! systemctl is-active --quiet -- "$4"; then
      printf '%s did not come up; the last lines of its log:\\n' "$4" >&2
      tail -n 8 "/var/log/postgresql/postgresql-$1-$2.log" >&2
      printf '  HINT: correct what it names in group_data, then deploy again\\n' >&2; exit 69
    fi
    sleep 0.2
  done
}
"""


@operation()
def started(cluster: Cluster) -> Generator[StringCommand]:
    """The cluster's unit runs, may run after the next boot, and the server behind it answers."""
    found, unit = host.get_fact(ServerFact, cluster=cluster), host.get_fact(UnitFact, unit=cluster.unit)
    if found.said and not unit.is_masked:
        return
    note_change(cluster.unit, "unmask" if found.said else "start")
    yield script(
        _ANSWERS + 'systemctl unmask -- "$4" 2>/dev/null; systemctl start -- "$4"; answers "$@"',
        *cluster.words,
        cluster.unit,
    )


@operation()
def overrides(cluster: Cluster, names: Sequence[str]) -> Generator[StringCommand]:
    """None of these settings is overridden by an ALTER SYSTEM that somebody made by hand."""
    found = host.get_fact(ServerFact, cluster=cluster)
    if found.is_down:
        yield unknown("ALTER SYSTEM", cluster)
    by_hand = sorted(set(found.get("overrides", [])) & set(names))
    if by_hand:
        note_change("postgresql.auto.conf", f"ALTER SYSTEM undone: {', '.join(by_hand)}")
        statements = [f"ALTER SYSTEM RESET {identifier(name)}" for name in by_hand]
        for statement in statements:
            yield run(cluster, "postgres", [statement], together=False)


# Ten seconds: a reload is a signal that the server acts upon within a second even when it is busy.
_RELOAD = """\
set -u; cd /
port=$(sed -n 4p "$3/postmaster.pid") || exit 69
ask() { timeout 20 runuser -u postgres -- env PGCONNECT_TIMEOUT=10 PGDATABASE=postgres \\
  "/usr/lib/postgresql/$1/bin/psql" -XAtqw -v ON_ERROR_STOP=1 -p "$port" -c "$4"; }
before=$(ask "$1" "$2" "$3" 'SELECT pg_conf_load_time()') || exit 1
ask "$1" "$2" "$3" 'SELECT pg_reload_conf()' >/dev/null || exit 1
i=0
until [ "$(ask "$1" "$2" "$3" 'SELECT pg_conf_load_time()')" != "$before" ]; do
  i=$((i + 1)); [ "$i" -le 50 ] || break; sleep 0.2
done
refused=$(ask "$1" "$2" "$3" "
  SELECT sourcefile || ':' || sourceline || ': ' || coalesce(name || ': ', '') || error FROM pg_file_settings
   WHERE error IS NOT NULL AND error <> 'setting could not be applied'
  UNION ALL SELECT 'pg_hba.conf:' || line_number || ': ' || error FROM pg_hba_file_rules WHERE error IS NOT NULL")
if [ -n "$refused" ] || [ "$i" -gt 50 ]; then
  printf 'PostgreSQL keeps its old configuration, it refuses the new one:\\n%s\\n' "$refused" >&2; exit 65
fi
"""


@operation()
def reloaded(cluster: Cluster, wanted: Mapping[str, str]) -> Generator[StringCommand]:
    """The server has read its configuration as it lies there now, and refuses none of it.

    + wanted: path to SHA-256 of files that this run writes, so that a plan tells of the reload to come

    Found by comparing times, not by memory: a run that died between write and reload is mended by the next.
    """
    found = host.get_fact(ServerFact, cluster=cluster)
    if found.is_down:
        yield unknown("reload", cluster)
        return
    coming = [path for path, digest in wanted.items() if host.get_fact(PathFact, path=path).sha256 != digest]
    stale = host.get_fact(TouchedFact, cluster=cluster) > float(found.get("loaded", 0)) if found.said else False
    refused = [*found.get("refused", []), *found.get("refused_hba", [])]
    if found.said and (coming or stale or refused):
        note_change(cluster.unit, "reload", is_owed=stale and not coming)
        yield script(_RELOAD, *cluster.words)


@operation()
def restarted(
    cluster: Cluster, conf: str = "", digest: str = "", settings: Mapping[str, Value] | None = None
) -> Generator[StringCommand]:
    """No setting waits for a restart. What waits is what `pg_settings.pending_restart` says, so one restart is enough.

    + conf, digest, settings: the file that this run writes, so that a plan tells of the restart to come
    """
    wanted = settings or {}
    found = host.get_fact(ServerFact, cluster=cluster, names=tuple(sorted(wanted)))
    if found.is_down:
        yield unknown("restart", cluster)
        return
    owed = waiting = set(found.get("pending", []))
    if conf and host.get_fact(PathFact, path=conf).sha256 != digest:
        waiting = owed | _will_wait(found, wanted)
    if waiting:
        note_change(cluster.unit, f"restart, for {', '.join(sorted(waiting))}", is_owed=waiting == owed)
        disrupts(Disruption(f"restart {cluster.unit}"))
        yield script(
            _ANSWERS + 'systemctl restart -- "$4" || exit 69; answers "$@"',
            *cluster.words,
            cluster.unit,
        )


def _will_wait(found: Answer, wanted: Mapping[str, Value]) -> set[str]:
    """Settings that only a start can change and that differ from what is to be written."""
    held = found.get("settings", {})
    fixed = {name for name in wanted if name in held and held[name]["context"] == "postmaster"}
    return {name for name in fixed if not is_in_force(wanted[name], held[name])}
