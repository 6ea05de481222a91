"""The shell side of containers: each script can be killed anywhere, and the next run goes on from what it left."""

from __future__ import annotations

REPLACE = r"""
set -u
name=$1 mode=$2 policy=$3 deadline=$4 monitor=$5 address=$6 port=$7 path=$8 host=$9; shift 9
release=$1 markers=$2; shift 2
previous=$name-previous marker=$markers/$name why= said= seen_well=
newline='
'
# Ten seconds for one that failed, and not its own grace: it never was in service, and the one before it is waited for.
grace=10

there() { docker container inspect "$1" >/dev/null 2>&1; }
now() { read -r up _ < /proc/uptime; up=${up%%.*}; }
release_of() { docker container inspect --format '{{index .Config.Labels "slipway.release"}}' "$1"; }

look() {
  seen=$(docker container inspect --format '{{.State.Status}} {{.State.ExitCode}} {{.State.OOMKilled}} '\
'{{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}} {{.HostConfig.Memory}}' "$name" 2>&1) || {
    why="it is gone: $seen"; return 1; }
  set -- $seen
  status=$1 code=$2 oom=$3 health=$4 memory=$5
}

is_up() {
  look || return 1
  [ "$status" != running ] || return 0
  limit="its limit is $((memory / 1048576)) MiB"
  case $oom:$code:$memory in
    true:*) why="killed for memory ($code), $limit" ;;
    *:137:0) why="killed (137)" ;;
    *:137:*) why="killed (137): out of memory, or by hand; $limit" ;;
    *) why="ended by itself with exit code $code" ;;
  esac
  return 1
}

answers() {
  if [ -n "$path" ]; then
    at=$address
    [ -n "$at" ] || at=$(docker container inspect \
      --format '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' "$name")
    # Five seconds: an answer that takes longer is none to a person, and the next try comes at once.
    got=$(curl --silent --output /dev/null --write-out '%{http_code}' --max-time 5 --noproxy '*' \
      --header "Host: ${host:-$at}" "http://$at:$port$path") || true
    case $got in 000) said="GET $path: no answer" ;; *) said="GET $path: $got" ;; esac
    [ "$got" = 200 ]
  else
    said="HEALTHCHECK: $health"
    case $health in none | healthy) return 0 ;; starting) [ -n "$seen_well" ] || is_well_now ;; *) return 1 ;; esac
  fi
}

# Docker asks for the first time after a whole interval; the same question can be put at once.
is_well_now() {
  wanted=$(docker container inspect --format '{{range .Config.Healthcheck.Test}}{{println .}}{{end}}' "$name")
  kind=${wanted%%"$newline"*} rest=${wanted#*"$newline"}
  set -- /bin/sh -c "$rest"
  if [ "$kind" = CMD ]; then
    set --
    while IFS= read -r word; do [ -z "$word" ] || set -- "$@" "$word"; done <<END
$rest
END
  fi
  # Ten seconds: longer than that, and Docker's own time-out would call it unhealthy.
  timeout 10 docker exec "$name" "$@" >/dev/null 2>&1 && seen_well=yes
}

prove() {
  now; start=$up
  until is_up && answers; do
    [ -z "$why" ] || return 1
    if [ -z "$path" ] && [ "$health" = unhealthy ]; then
      why="its HEALTHCHECK says unhealthy: $(docker container inspect --format \
'{{range .State.Health.Log}}{{printf "%s\n" .Output}}{{end}}' "$name" | grep . | tail -n 1)"
      return 1
    fi
    now
    if [ $((up - start)) -ge "$deadline" ]; then why="not ready after $deadline s ($said)"; return 1; fi
    sleep 0.2 # Docker tells nobody when a port opens; a fifth of a second is not felt
  done
  now; start=$up misses=0
  while now; [ $((up - start)) -lt "$monitor" ]; do
    sleep 0.5
    is_up || { why="was ready, then $why"; return 1; }
    # One slow answer is no failure; three in a row are.
    if answers; then misses=0; else misses=$((misses + 1)); fi
    if [ "$misses" -ge 3 ]; then why="was ready, and is no longer ($said)"; return 1; fi
  done
}

discard() {
  docker stop -t "$grace" "$1" >/dev/null 2>&1
  docker rm --force "$1" >/dev/null
}

fall_back() {
  trap '' HUP INT TERM
  echo "$name: release $release: $why" >&2
  if there "$name"; then
    echo "  last lines of its log:" >&2
    docker logs --tail 20 "$name" 2>&1 | sed 's/^/    /' >&2
  fi
  if there "$previous"; then
    ! there "$name" || discard "$name"
    old=$(release_of "$previous")
    if docker rename "$previous" "$name" && docker start "$name" >/dev/null; then
      rm -f -- "$marker"; echo "  release $old serves here again" >&2
    else
      echo "  and release $old could not be started again: docker start $name" >&2
    fi
  elif [ "$mode" = replace ]; then
    ! there "$name" || discard "$name"
    rm -f -- "$marker"
  else
    docker update --restart "$policy" "$name" >/dev/null
    docker start "$name" >/dev/null
  fi
  exit 1
}

# One second: who has sent this will not wait much longer.
trap 'grace=1 why="stopped while it was being replaced"; fall_back' HUP INT TERM
mkdir -p -- "$markers" || exit 1

if [ "$mode" = replace ] && there "$name"; then
  if [ -e "$marker" ]; then
    discard "$name" # an attempt of a run that died; what served before it is kept as the previous one
  else
    if there "$previous"; then docker rm --force "$previous" >/dev/null || exit 1; fi
    docker rename "$name" "$previous" || exit 1
  fi
fi
: > "$marker"
if ! there "$name"; then
  said=$(docker create "$@" 2>&1 >/dev/null) || { why="could not be created: $said"; fall_back; }
fi
look || fall_back
case $status:$health in
  restarting:* | running:unhealthy) docker stop "$name" >/dev/null ;;
  paused:*) docker unpause "$name" >/dev/null ;;
esac
# While it is watched nobody restarts it: one that dies stays as it fell, with its exit code.
said=$(docker update --restart no "$name" 2>&1 >/dev/null) || { why="could not be updated: $said"; fall_back; }
if there "$previous"; then
  said=$(docker stop "$previous" 2>&1 >/dev/null) || { why="the one before it could not be stopped: $said"; fall_back; }
fi
said=$(docker start "$name" 2>&1 >/dev/null) || { why="could not be started: $said"; fall_back; }
prove || fall_back
said=$(docker update --restart "$policy" "$name" 2>&1 >/dev/null) || { why="could not be updated: $said"; fall_back; }
rm -f -- "$marker"
"""
"""Brings up one container and proves it; whatever goes wrong, the one before it serves again.

Arguments: name, mode (replace: another specification; start: the same), restart policy, seconds to get ready, seconds
to stay ready, then address (empty: the container's own), port, path and Host of its readiness (no path: HEALTHCHECK, or
being up), release, directory of markers, and the words for `docker create`.
"""

RETIRE = r"""
set -eu
markers=$1; shift
for name in "$@"; do
  if docker container inspect "$name-previous" >/dev/null 2>&1; then docker rm --force "$name-previous" >/dev/null; fi
  docker rename "$name" "$name-previous"
  docker stop "$name-previous" >/dev/null
  rm -f -- "$markers/$name"
done
"""
"""Stops containers within their grace and keeps them as the previous ones."""

SEAL = r"""
set -eu
for name in "$@"; do
  docker stop "$name" >/dev/null
  docker rm "$name" >/dev/null
done
"""
"""Removes previous containers, whatever state they are in."""

REVERT = r"""
set -u
stack=$1 markers=$2 bad=0
names=$(docker ps --all --filter "label=slipway.stack=$stack" --format '{{.Names}}') || exit 1
for previous in $names; do
  name=${previous%-previous}
  [ "$name" != "$previous" ] || continue
  if docker container inspect "$name" >/dev/null 2>&1; then
    docker stop "$name" >/dev/null
    docker rm --force "$name" >/dev/null || { bad=1; continue; }
  fi
  rm -f -- "$markers/$name"
  docker rename "$previous" "$name" && docker start "$name" >/dev/null || bad=1
done
exit "$bad"
"""
"""Every previous container of a stack takes its name and its place back. Once it has, there is nothing left to do."""

STOP_SERVICE = r"""
set -eu
command -v docker >/dev/null 2>&1 || exit 0
ids=$(docker ps --quiet --filter "label=slipway.stack=$1" --filter "label=slipway.service=$2")
for id in $ids; do docker stop "$id" >/dev/null; echo "$id"; done
"""
"""Stops every container of a service, within its grace; prints those that it stopped."""
