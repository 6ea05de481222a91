"""Redis as it runs, beside what is wanted of it. Nothing here carries a secret off the host."""

from __future__ import annotations

from dataclasses import dataclass, field

from pyinfra.api import FactBase, StringCommand

from slipway.facts.files import script

CONF, ACL = "/etc/redis/redis.conf", "/etc/redis/users.acl"
SOCKET = "/run/redis/redis-server.sock"
ADMIN = "/var/lib/slipway/secrets/redis-admin"
"""Password of the user `slipway`, made on the host and known to root there only."""
STATE = "/var/lib/slipway/redis"
"""What the wanted files come to in this Redis's own words: `settings` and `acl`."""

CLI = """\
conf=/etc/redis/redis.conf acl=/etc/redis/users.acl socket=/run/redis/redis-server.sock
admin=/var/lib/slipway/secrets/redis-admin state=/var/lib/slipway/redis
# Ours first; then a Redis that was here before Slipway, as the distribution sets it up. LOADING is an answer too.
answered() { case $1 in PONG* | LOADING* | BUSY* | MASTERDOWN*) return 0 ;; esac; return 1; }
as_admin() { REDISCLI_AUTH=$(cat -- "$admin") timeout 30 redis-cli --no-auth-warning -s "$socket" --user slipway "$@"; }
by_socket() { timeout 30 redis-cli -s "$socket" "$@"; }
by_port() { timeout 30 redis-cli -h 127.0.0.1 -p 6379 "$@"; }
reach() {
  for cli in as_admin by_socket by_port; do
    if answered "$("$cli" ping 2> /dev/null)"; then return 0; fi
  done
  cli=; return 1
}
sum_of() { if [ -f "$1" ]; then set -- "$(sha256sum < "$1")"; printf '%s' "${1%% *}"; else printf none; fi; }
version() { redis-server --version | sed -nE 's/.* v=([^ ]+).*/\\1/p'; }
# Settings that say where, not how, or that hold a secret: the first are compared by themselves, the others never leave.
by_key() {
  awk 'NR % 2 { key = $0; next } { print key, $0 }' |
    grep -vE '^(pidfile|daemonize|supervised|slaveof|replicaof|masterauth|masteruser|requirepass|tls-port) '
}
"""
"""Shell functions that every script about Redis begins with."""


@dataclass(frozen=True)
class Running:
    """The running Redis beside the wanted one."""

    is_active: bool = False
    answers: bool = False
    learnt_from: str = ""
    """SHA-256 of the redis.conf that `wanted` was learnt from; empty where it was by another version of Redis."""
    wanted: dict[str, str] = field(default_factory=dict)
    """Setting to value, as this version of Redis writes what redis.conf says."""
    running: dict[str, str] = field(default_factory=dict)
    """Setting to value, as CONFIG GET has it."""
    acl_known: bool = False
    """Whether the users in force were compared with those of the ACL file before, for this file and version."""
    acl_differs: bool = False
    """Whether somebody changed the users of the running Redis since."""

    @property
    def drift(self) -> dict[str, tuple[str, str]]:
        """Setting to value in force and value wanted."""
        return {k: (self.running[k], v) for k, v in self.wanted.items() if k in self.running and self.running[k] != v}


_FACT = (
    CLI
    + """\
systemctl is-active redis-server.service || true
command -v redis-server > /dev/null || exit 0
this=$(version)
if [ -f "$state/settings" ]; then
  read -r of version < "$state/settings"
  [ "$version" != "$this" ] || echo "learnt $of"
  sed '1d;s/^/wanted /' "$state/settings"
fi
if reach; then
  echo answers
  running=$("$cli" CONFIG GET '*') || exit 1
  printf '%s\\n' "$running" | by_key | sed 's/^/running /'
  read -r of version list < "$state/acl" 2> /dev/null || of=
  if [ "$of $version" = "$(sum_of "$acl") $this" ]; then
    echo 'known acl'
    [ "$list" = "$("$cli" ACL LIST | sha256sum | cut -d' ' -f1)" ] || echo 'differs acl'
  fi
fi
exit 0
"""
)


class RedisFact(FactBase[Running]):
    """The running Redis and what was learnt of the wanted one, in one command."""

    def command(self) -> StringCommand:
        return script(_FACT)

    @staticmethod
    def default() -> Running:
        return Running()

    def process(self, output: list[str]) -> Running:
        said = output[1:]
        return Running(
            is_active=output[0] in ("active", "activating", "reloading"),
            answers="answers" in said,
            learnt_from="".join(line.removeprefix("learnt ") for line in said if line.startswith("learnt ")),
            wanted=_settings(said, "wanted "),
            running=_settings(said, "running "),
            acl_known="known acl" in said,
            acl_differs="differs acl" in said,
        )


def _settings(said: list[str], mark: str) -> dict[str, str]:
    pairs = (line.removeprefix(mark).partition(" ") for line in said if line.startswith(mark))
    return {key: value for key, _, value in pairs}


class AdminHash(FactBase[str]):
    """SHA-256 of the password of the user `slipway`, as an ACL file holds it; empty before it is made.

    The password is 256 random bits: nobody finds it from this.
    """

    is_local = True

    def command(self) -> StringCommand:
        return script('[ ! -s "$1" ] || tr -d "\\n" < "$1" | sha256sum', ADMIN)

    @staticmethod
    def default() -> str:
        return ""

    def process(self, output: list[str]) -> str:
        return output[0].split()[0]


OLDER_SESSIONS = (
    CLI
    + """\
reach || { echo 'redis does not answer' >&2; exit 69; }
list=$("$cli" CLIENT LIST | tr -d '\\r')
# The connection that asks is on every list: one without any is no answer.
case $list in *id=*) ;; *) printf '%s\\n' "$list" >&2; exit 1 ;; esac
printf '%s\\n' "$list" | awk -v user="$1" -v seconds="$2" '
  { split("", has); for (i = 1; i <= NF; i++) { at = index($i, "="); has[substr($i, 1, at - 1)] = substr($i, at + 1) } }
  has["user"] == user && has["age"] + 0 > seconds + 0 {
    print user " from " has["addr"] ", for " has["age"] " s" (has["lib-name"] ? " by " has["lib-name"] : "")
  }'
"""
)
"""Prints a line for each session of user $1 older than $2 seconds, by CLIENT LIST (redis.io/commands/client-list)."""
