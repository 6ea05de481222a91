"""What a PostgreSQL server says of itself: one query each, as JSON, over its own socket as the user postgres."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, NamedTuple

from pyinfra.api import FactBase, StringCommand

from slipway.facts.files import ALL_AT_ONCE, script
from slipway.sql import literal, texts


class Cluster(NamedTuple):
    """One database cluster as Debian's tools know it."""

    version: int
    """Major version of PostgreSQL."""
    cluster: str
    """Its name, usually main."""
    directory: str
    """Where its data lies."""

    @property
    def config(self) -> str:
        """Directory of its configuration."""
        return f"/etc/postgresql/{self.version}/{self.cluster}"

    @property
    def unit(self) -> str:
        """Its systemd unit."""
        return f"postgresql@{self.version}-{self.cluster}.service"

    @property
    def words(self) -> tuple[str, str, str]:
        return str(self.version), self.cluster, self.directory


@dataclass(frozen=True)
class Answer:
    """What came back: the server's own words, or why there are none."""

    state: str
    """here, absent (no such cluster yet) or down (there is one, it does not answer)."""
    said: Any = None
    """The JSON of the query; None where the server said nothing."""

    @property
    def is_down(self) -> bool:
        return self.state == "down"

    def get(self, key: str, default: Any = None) -> Any:
        """A key of what was said; the default where nothing was."""
        return (self.said or {}).get(key, default)


# Sets `port`, empty or no number where no server runs, and makes `ask DATABASE`, which takes at most $seconds.
# The port is the one that the running server has, which during a change is not yet the one that its file says.
# PGDATABASE, because `psql -d` would read a name with `=` in it as a connection string. Ten seconds to
# accept, twenty in all: what takes longer waits for a lock; the server ends the query once its client is gone.
_REACH = """\
cd /
port=
[ ! -r "$3/postmaster.pid" ] || { read -r _; read -r _; read -r _; read -r port; } < "$3/postmaster.pid"
export PGCONNECT_TIMEOUT=10 PGOPTIONS=
[ "$1" -lt 14 ] || PGOPTIONS='-c client_connection_check_interval=2s'
psql=/usr/lib/postgresql/$1/bin/psql
ask() { PGDATABASE=$1 timeout "$seconds" runuser -u postgres -- "$psql" -XAtqw -v ON_ERROR_STOP=1 -p "$port"; }
"""

_ASK = """\
if [ ! -e "/etc/postgresql/$1/$2/postgresql.conf" ] || [ ! -s "$3/PG_VERSION" ]; then echo absent; exit 0; fi
seconds=20
@REACH@
case "$port" in ''|*[!0-9]*) echo down; exit 0 ;; esac
ask "$4" <<SQL && exit 0
$5
SQL
if printf 'SELECT 1' | ask postgres >/dev/null 2>&1; then
  known=$(printf 'SELECT datname FROM pg_database' | ask postgres) || exit 1
  case "
$known
" in *"
$4
"*) exit 1 ;; *) echo absent ;; esac
else echo down; fi
""".replace("@REACH@\n", _REACH)

# One session for all that is asked of a cluster. `mark` is what parts the answers of the batch that this is read in.
ALL_AT_ONCE[_ASK] = """\
cluster="$1 $2 $3" questions=$(($# / 5)) end='
'
[ -e "/etc/postgresql/$1/$2/postgresql.conf" ] && [ -s "$3/PG_VERSION" ] || exit 1
seconds=15
@REACH@
case "$port" in ''|*[!0-9]*) exit 1 ;; esac
asked() {
  now=postgres
  while [ $# -gt 0 ]; do
    [ "$1 $2 $3" = "$cluster" ] || return
    case $4 in '' | *[!A-Za-z0-9_-]*) return ;; esac
    [ "$4" = "$now" ] || printf '\\\\connect "%s"\\n' "$4"
    printf '%s\\n;\\n\\\\echo %s\\n' "$5" "$mark"
    now=$4; shift 5
  done
}
said=$(asked "$@" | ask postgres 2> /dev/null) || exit 1
rest=$said found=0
while [ "${rest#*"$mark"}" != "$rest" ]; do rest=${rest#*"$mark"} found=$((found + 1)); done
[ "$found" = "$questions" ] || exit 1
while [ "$found" -gt 0 ]; do
  printf '%s' "${said%%"$mark"*}"; told 0
  said=${said#*"$mark"}; said=${said#"$end"}; found=$((found - 1))
done
""".replace("@REACH@\n", _REACH)


class Ask(FactBase[Answer]):
    """A query whose answer is one JSON document."""

    abstract = True

    @staticmethod
    def default() -> Answer:
        return Answer("absent")

    def process(self, output: list[str]) -> Answer:
        if output and output[0] in ("absent", "down"):
            return Answer(output[0])
        return Answer("here", json.loads("\n".join(output)))


def ask(cluster: Cluster, database: str, query: str) -> StringCommand:
    """Asks one database; the query must answer with one JSON document."""
    return script(_ASK, *cluster.words, database, query)


class ClustersFact(FactBase[tuple[tuple[int, str], ...]]):
    """Version and name of every cluster on the host."""

    def command(self) -> StringCommand:
        return script(
            "cd /etc/postgresql 2>/dev/null || exit 0; "
            'for f in */*/postgresql.conf; do [ -e "$f" ] && echo "$f"; done; :'
        )

    @staticmethod
    def default() -> tuple[tuple[int, str], ...]:
        return ()

    def process(self, output: list[str]) -> tuple[tuple[int, str], ...]:
        parts = [line.split("/") for line in output]
        return tuple((int(version), name) for version, name, _ in parts if version.isdigit())


class UnfinishedFact(FactBase[str]):
    """Whether a cluster is there: absent, unfinished (its creation was cut short, it never ran) or finished."""

    def command(self, cluster: Cluster, marker: str) -> StringCommand:
        return script(
            'if [ -e "$4" ] && [ ! -e "$3/postmaster.opts" ]; then echo unfinished; '
            'elif [ -e "/etc/postgresql/$1/$2/postgresql.conf" ] && [ -s "$3/PG_VERSION" ]; then echo finished; '
            "else echo absent; fi",
            *cluster.words,
            marker,
        )

    @staticmethod
    def default() -> str:
        return "absent"

    def process(self, output: list[str]) -> str:
        return output[0]


class ServerFact(Ask):
    """What is in force: named settings, what waits for a reload or a restart, and what the server refuses to read."""

    def command(self, cluster: Cluster, names: tuple[str, ...] = ()) -> StringCommand:
        return ask(cluster, "postgres", _SERVER % {"names": texts(names)})


_SERVER = """\
SELECT json_build_object(
  'loaded', extract(epoch FROM pg_conf_load_time()),
  'checksums', current_setting('data_checksums') = 'on',
  'pending', (SELECT coalesce(json_agg(name ORDER BY name), '[]') FROM pg_settings WHERE pending_restart),
  'overrides', (SELECT coalesce(json_agg(DISTINCT name), '[]') FROM pg_file_settings
                WHERE sourcefile LIKE '%%/postgresql.auto.conf'),
  'refused', (
    SELECT coalesce(json_agg(sourcefile || ':' || sourceline || ': ' || coalesce(name, '') || ' ' || error), '[]')
              FROM pg_file_settings WHERE error IS NOT NULL AND error <> 'setting could not be applied'),
  'refused_hba', (SELECT coalesce(json_agg('pg_hba.conf:' || line_number || ': ' || error), '[]')
                  FROM pg_hba_file_rules WHERE error IS NOT NULL),
  'settings', (SELECT coalesce(json_object_agg(name, json_build_object(
                 'setting', setting, 'unit', unit, 'type', vartype, 'context', context, 'file', sourcefile)), '{}')
               FROM pg_settings WHERE name = ANY (%(names)s)))
"""


class TouchedFact(FactBase[float]):
    """When the newest configuration file of a cluster last changed, as a Unix time; 0 where there is none.

    By change time, which a rename and an edit both set and nobody can set back.
    """

    def command(self, cluster: Cluster) -> StringCommand:
        return script(
            'cd "/etc/postgresql/$1/$2" 2>/dev/null || exit 0; '
            "stat -c %.9Z -- postgresql.conf pg_hba.conf pg_ident.conf conf.d conf.d/*.conf "
            '"$3/postgresql.auto.conf" 2> /dev/null | sort -n | tail -n 1',
            *cluster.words,
        )

    @staticmethod
    def default() -> float:
        return 0.0

    def process(self, output: list[str]) -> float:
        return float(output[0]) if output else 0.0


class RolesFact(Ask):
    """Every role: attributes, memberships, settings; of its password only what tells whether it is a given one."""

    def command(self, cluster: Cluster) -> StringCommand:
        return ask(cluster, "postgres", _ROLES)


# The digest stands for the verifier, which is thus never fetched.
_ROLES = r"""
SELECT coalesce(json_object_agg(r.rolname, json_build_object(
  'login', rolcanlogin, 'superuser', rolsuper, 'createdb', rolcreatedb, 'createrole', rolcreaterole,
  'inherit', rolinherit, 'replication', rolreplication, 'bypassrls', rolbypassrls,
  'connection_limit', rolconnlimit,
  'password', CASE WHEN rolpassword LIKE 'SCRAM-SHA-256$%' THEN json_build_object(
     'iterations', split_part(split_part(rolpassword, '$', 2), ':', 1)::int,
     'salt', split_part(split_part(rolpassword, '$', 2), ':', 2),
     'digest', encode(sha256(convert_to(rolpassword, 'UTF8')), 'hex')) END,
  'member_of', (SELECT coalesce(json_agg(DISTINCT g.rolname), '[]') FROM pg_auth_members m
                JOIN pg_roles g ON g.oid = m.roleid WHERE m.member = r.oid),
  'settings', (SELECT coalesce(json_agg(s), '[]') FROM pg_db_role_setting d, unnest(d.setconfig) s
               WHERE d.setrole = r.oid AND d.setdatabase = 0))), '{}')
FROM pg_authid r
"""


class SessionsFact(Ask):
    """Who is logged in by a login: a line for each session, with where it came from."""

    def command(self, cluster: Cluster, login: str) -> StringCommand:
        return ask(cluster, "postgres", _SESSIONS % {"login": literal(login)})


# The login's own name, whatever role its session has become since.
_SESSIONS = """\
SELECT coalesce(json_agg(usename || ' from ' || coalesce(host(client_addr), 'the socket')
                         || coalesce(' by ' || nullif(application_name, ''), '')), '[]')
FROM pg_stat_activity WHERE backend_type = 'client backend' AND usename = %(login)s
"""


class DatabasesFact(Ask):
    """Every database: owner, encoding, locale, limits, and what everybody (PUBLIC) may do in it."""

    def command(self, cluster: Cluster) -> StringCommand:
        return ask(cluster, "postgres", _DATABASES)


_DATABASES = """\
SELECT coalesce(json_object_agg(d.datname, json_build_object(
  'owner', pg_get_userbyid(datdba), 'encoding', pg_encoding_to_char(encoding),
  'collate', datcollate, 'ctype', datctype, 'connection_limit', datconnlimit,
  'public', (SELECT coalesce(json_agg(a.privilege_type), '[]')
             FROM aclexplode(coalesce(datacl, acldefault('d', datdba))) a WHERE a.grantee = 0),
  'settings', (SELECT coalesce(json_agg(s), '[]') FROM pg_db_role_setting x, unnest(x.setconfig) s
               WHERE x.setrole = 0 AND x.setdatabase = d.oid))), '{}')
FROM pg_database d
"""


class DatabaseFact(Ask):
    """What is in one database: extensions, those that could be, and schemas with their owners."""

    def command(self, cluster: Cluster, database: str) -> StringCommand:
        return ask(cluster, database, _DATABASE)


_DATABASE = """\
SELECT json_build_object(
  'extensions', (SELECT json_object_agg(extname, json_build_object('version', extversion, 'schema', n.nspname))
                 FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace),
  'available', (SELECT json_agg(name) FROM pg_available_extensions),
  'schemas', (SELECT json_object_agg(nspname, pg_get_userbyid(nspowner)) FROM pg_namespace))
"""


class LedgerTableFact(Ask):
    """Whether the application's database has the ledger of migrations."""

    def command(self, cluster: Cluster, database: str) -> StringCommand:
        return ask(cluster, database, "SELECT to_json(to_regclass('slipway.migration') IS NOT NULL)")


class LedgerEntry(FactBase[str | None]):
    """The release whose run finished the migration `key`; None where none did, or the ledger cannot be there yet.

    A server that does not answer says None too: a migration cannot run against it either.
    """

    def command(self, database: str, port: int, key: str) -> StringCommand:
        return script(LEDGER_READ, database, str(port), key)

    @staticmethod
    def default() -> None:
        return None

    def process(self, output: list[str]) -> str | None:
        return output[0] if output and output[0] else None


# The client itself, not Debian's wrapper in Perl, which takes longer than the query. 3: a statement failed, and not the
# connection (psql(1), "Exit Status").
LEDGER_READ = r"""
cd /; command -v psql >/dev/null || exit 0
psql=psql; for each in /usr/lib/postgresql/*/bin/psql; do [ ! -x "$each" ] || psql=$each; done
timeout 20 runuser -u postgres -- env PGCONNECT_TIMEOUT=10 "PGDATABASE=$1" \
  "$psql" -XAtqw -v ON_ERROR_STOP=1 -v "key=$3" -p "$2" <<'SQL' || [ $? -ne 3 ]
SELECT to_regclass('slipway.migration') IS NOT NULL AS there \gset
\if :there
SELECT release FROM slipway.migration WHERE key = :'key' AND finished IS NOT NULL;
\endif
SQL
"""
