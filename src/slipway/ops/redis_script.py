"""What runs on a host for Redis."""

from __future__ import annotations

from slipway.facts.redis import CLI

_TRIAL = """\
# A Redis of its own: as the user redis, no port, an empty directory that goes with it. $@ is its configuration.
trial() {
  work=$(mktemp -d /run/slipway-redis.XXXXXX)
  trap 'exit 129' HUP INT PIPE TERM
  trap 'kill "${pid:-0}" 2> /dev/null && wait "$pid" 2> /dev/null; rm -rf -- "$work"' EXIT
  chown redis:redis -- "$work"
  ulimit -n 65535 2> /dev/null || true  # as its unit has it; with fewer it would lower maxclients
  setpriv --reuid redis --regid redis --clear-groups -- redis-server "$@" --port 0 --tls-port 0 \\
    --unixsocket "$work/socket" --unixsocketperm 700 --dir "$work" --pidfile "$work/pid" --logfile "$work/log" \\
    --daemonize no --supervised no --replicaof no one > "$work/said" 2>&1 &
  pid=$! tries=0 socket=$work/socket
  until as_admin ping 2> /dev/null | grep -q '^PONG'; do
    tries=$((tries + 1))
    if ! kill -0 "$pid" 2> /dev/null || [ "$tries" -ge 100 ]; then  # ten seconds; an empty Redis needs a tenth of one
      { cat -- "$work/said"; [ ! -f "$work/log" ] || tail -n 20 -- "$work/log"; as_admin ping; } 2>&1 |
        grep -vE '^$|oO0OoO0OoO0Oo|Redis (version=|is starting)|Configuration loaded|Could not connect' |
        grep -vE 'overcommit|monotonic clock|open files|Running mode' >&2
      exit 1
    fi
    sleep 0.1
  done
}
# What file $1 comes to, in this version's own words. Where it listens and keeps its data is as the file has it.
learn() {
  mkdir -p -m 750 -- "$state"
  tmp=$(mktemp -- "$state/.settings.XXXXXX")
  { printf '%s %s\\n' "$(sum_of "$1")" "$(version)"
    as_admin CONFIG GET '*' | by_key | grep -vE '^(port|dir|logfile|unixsocket|unixsocketperm) ' | sort
    awk '$1 ~ /^(port|dir|logfile|unixsocket|unixsocketperm)$/ { print $1, $2 }' "$1" | tr -d '"'
  } > "$tmp"
  mv -fT -- "$tmp" "$state/settings"
}
"""

TRY = (
    "set -eu\n"
    + CLI
    + _TRIAL
    + """\
if [ "$1" = users ]; then trial --aclfile "$2"; else trial "$2"; learn "$2"; fi
"""
)

LEARN = (
    "set -eu\n"
    + CLI
    + _TRIAL
    + """\
trial "$conf"; learn "$conf"
"""
)

KEEP_DATA = """\
set -eu
conf=/etc/redis/redis.conf
value() { awk -v key="$1" -v other="$2" '$1 == key { other = $2 } END { gsub(/"/, "", other); print other }' "$conf"; }
cd -- "$(value dir /var/lib/redis)"
saved=$(value dbfilename dump.rdb)
directory=$(value appenddirname appendonlydir) name=$(value appendfilename appendonly.aof)
[ "$(value appendonly no)" = yes ] && [ -s "$saved" ] && [ ! -e "$directory" ] && [ ! -e "$name" ] || exit 0
# With an append-only file wanted and none there Redis starts empty and then saves that over what there was: redis.io,
# "Redis persistence". What was saved becomes the base of the append-only file instead.
umask 027
mkdir -- "$directory.slipway-new"
cp -- "$saved" "$directory.slipway-new/$name.1.base.rdb"
printf 'file %s.1.base.rdb seq 1 type b\\n' "$name" > "$directory.slipway-new/$name.manifest"
chown -R redis:redis -- "$directory.slipway-new"
sync -- "$directory.slipway-new"/*
mv -T -- "$directory.slipway-new" "$directory"
"""

APPLY = (
    "set -eu\n"
    + CLI
    + """\
must=$1 patience=$2 debts=$3; shift 3
uptime() { read -r up _ < /proc/uptime; printf '%s' "${up%%.*}"; }  # a clock that is set does not move it
deadline=$(($(uptime) + patience))
before_deadline() { [ "$(uptime)" -lt "$deadline" ] || { echo "redis: $1 after $patience s" >&2; exit 1; }; }
persistence() { "$cli" INFO persistence | tr -d '\\r' | sed -n "s/^$1://p"; }

if reach; then
  while [ $# -gt 0 ]; do
    # What cannot be set while it runs says so; anything else that it refuses would be refused at its start as well.
    said=$("$cli" CONFIG SET "$1" "$2" 2>&1) || true
    [ "$said" = OK ] || { must=yes; echo "$1: $said"; }
    shift 2
    reach || { must=yes; break; }
  done
  # A restart before the append-only file is complete would lose what is only in memory.
  if [ "$must" = yes ] && [ -n "$cli" ]; then
    while [ "$(persistence aof_rewrite_in_progress)$(persistence aof_rewrite_scheduled)" != 00 ]; do
      before_deadline 'is still writing its append-only file'; sleep 0.5
    done
    if [ "$(persistence aof_last_bgrewrite_status)" != ok ]; then
      echo 'redis was not restarted: it cannot write its append-only file' >&2; exit 1
    fi
  fi
fi
if [ "$must" = yes ]; then
  systemctl reset-failed redis-server.service  # restarts that are wanted do not count as a crash loop
  systemctl restart redis-server.service
fi
until reach && ! "$cli" ping 2> /dev/null | grep -q '^LOADING'; do
  before_deadline 'does not answer, or still loads its data'
  systemctl is-failed --quiet redis-server.service && { journalctl -u redis-server -n 5 -o cat >&2; exit 1; }
  sleep 0.5
done
rm -f -- "$debts/restart:redis-server.service"
"""
)

LOAD_USERS = (
    "set -eu\n"
    + CLI
    + """\
reach || { echo 'redis does not answer' >&2; exit 1; }
said=$("$cli" ACL LOAD 2>&1) || true
[ "$said" = OK ] || { printf 'redis does not load its users: %s\\n' "$said" >&2; exit 1; }
reach
mkdir -p -m 750 -- "$state"
tmp=$(mktemp -- "$state/.acl.XXXXXX")
printf '%s %s %s\\n' "$(sum_of "$acl")" "$(version)" "$("$cli" ACL LIST | sha256sum | cut -d' ' -f1)" > "$tmp"
mv -fT -- "$tmp" "$state/acl"
"""
)
