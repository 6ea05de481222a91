"""The shell side of containers: each script can be killed anywhere, and the next run goes on from what it left."""

from __future__ import annotations

WAVE = r"""
exec bash -c '
# Several at once, each with its own words; one that fails stops no other.
ticks() { read -r up _ < /proc/uptime; ticks=${up%.*}${up#*.}; }
# Begun is finished: with nobody left to listen (the controller died), a step that cannot be told must not end a script
# between a stop and a start.
trap "" PIPE
ticks; echo "base $ticks"
pids=()
stop() { [ ${#pids[@]} -eq 0 ] || kill -TERM "${pids[@]}" 2>/dev/null; wait; exit 143; }
trap stop HUP INT TERM
while [ $# -gt 0 ]; do
  text=$1 count=$2; shift 2
  sh -c "$text" sh "${@:1:count}" & pids+=($!); shift "$count"
done
bad=0
for pid in "${pids[@]}"; do wait "$pid" || bad=1; done
exit "$bad"
' slipway-wave "$@"
"""
"""Runs several scripts at the same time. Arguments: for each its text, the number of its words, and the words."""

_PARTS = r"""
set -u
name=$1 mode=$2 order=$3 policy=$4 deadline=$5 monitor=$6 address=$7 port=$8 path=$9; shift 9
host=$1 release=$2 markers=$3; shift 3
previous=$name-previous marker=$markers/$name why= said= seen_well= looked=$name
newline='
'
# Ten seconds for one that failed, and not its own grace: it never was in service, and the one before it is waited for.
grace=10

there() { docker container inspect "$1" >/dev/null 2>&1; }
ticks() { read -r up _ < /proc/uptime; ticks=${up%.*}${up#*.}; }
now() { read -r up _ < /proc/uptime; up=${up%%.*}; }
begin() { ticks; begun=$ticks; }
step() { ticks; echo "step $name $1 $begun $ticks"; begun=$ticks; }
stack_of() {
  docker container inspect --format '{{with .Config.Labels}}{{index . "slipway.stack"}}{{end}}' "$1"
}
release_of() { docker container inspect --format '{{index .Config.Labels "slipway.release"}}' "$1"; }

look() {
  seen=$(docker container inspect --format '{{.State.Status}} {{.State.ExitCode}} {{.State.OOMKilled}} '\
'{{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}} {{.HostConfig.Memory}}' "$looked" 2>&1) || {
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
      --format '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' "$looked")
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
  wanted=$(docker container inspect --format '{{range .Config.Healthcheck.Test}}{{println .}}{{end}}' "$looked")
  kind=${wanted%%"$newline"*} rest=${wanted#*"$newline"}
  set -- /bin/sh -c "$rest"
  if [ "$kind" = CMD ]; then
    set --
    while IFS= read -r word; do [ -z "$word" ] || set -- "$@" "$word"; done <<END
$rest
END
  fi
  # Ten seconds: longer than that, and Docker's own time-out would call it unhealthy.
  timeout 10 docker exec "$looked" "$@" >/dev/null 2>&1 && seen_well=yes
}

prove() {
  now; start=$up
  until is_up && answers; do
    [ -z "$why" ] || return 1
    if [ -z "$path" ] && [ "$health" = unhealthy ]; then
      why="its HEALTHCHECK says unhealthy: $(docker container inspect --format \
'{{range .State.Health.Log}}{{printf "%s\n" .Output}}{{end}}' "$looked" | grep . | tail -n 1)"
      return 1
    fi
    now
    if [ $((up - start)) -ge "$deadline" ]; then why="not ready after $deadline s ($said)"; return 1; fi
    sleep 0.2 # Docker tells nobody when a port opens; a fifth of a second is not felt
  done
  step ready
  now; start=$up misses=0
  while now; [ $((up - start)) -lt "$monitor" ]; do
    sleep 0.5
    is_up || { why="was ready, then $why"; return 1; }
    # One slow answer is no failure; three in a row are.
    if answers; then misses=0; else misses=$((misses + 1)); fi
    if [ "$misses" -ge 3 ]; then why="was ready, and is no longer ($said)"; return 1; fi
  done
  [ "$monitor" -eq 0 ] || step monitor
}
"""

RENAME = r"""
# Docker cannot rename one that crashed and that it is about to restart, nor one whose network it is taking apart: such
# a one serves nobody, and is stopped.
rename() {
  said=$(docker rename "$1" "$2" 2>&1) && return
  case $said in
    *sandbox*"not found"*) ;;
    *)
      state=$(docker container inspect --format '{{.State.Status}}' "$1")
      [ "$state" = restarting ] || { echo "$said" >&2; return 1; }
      ;;
  esac
  docker stop "$1" >/dev/null
  docker rename "$1" "$2"
}
"""
"""A function: container $1 is called $2 from now on, also where it crashes over and over."""

REPLACE = (
    _PARTS
    + RENAME
    + r"""
before_deadline=$1 before_address=$3 before_port=$4 before_path=$5 before_host=$6; shift 6

discard() {
  docker stop -t "$grace" "$1" >/dev/null 2>&1
  docker rm --force "$1" >/dev/null
}

# The one before answers again, as it was asked when it came.
prove_before() {
  why= seen_well= looked=$name monitor=0
  deadline=$before_deadline address=$before_address port=$before_port path=$before_path host=$before_host
  prove >/dev/null
}

fall_back() {
  trap '' HUP INT TERM
  step failed
  # Told in one piece at the end: others of the wave may have something to tell as well.
  told="$name: release $release: $why"
  if there "$name"; then
    told="$told$newline  last lines of its log:$newline$(docker logs --tail 20 "$name" 2>&1 | sed 's/^/    /')"
  fi
  if there "$previous"; then
    ! there "$name" || discard "$name"
    old=$(release_of "$previous")
    if rename "$previous" "$name" && docker start "$name" >/dev/null; then
      if prove_before; then
        rm -f -- "$marker"
        told="$told$newline  release $old serves here again"
      else # the marker stays: the next run looks at it again
        told="$told$newline  release $old was started again, but: $why"
      fi
      step back
    else
      told="$told$newline  and release $old could not be started again: docker start $name"
    fi
  elif [ "$mode" = replace ]; then
    ! there "$name" || discard "$name"
    rm -f -- "$marker"
  else
    docker update --restart "$policy" "$name" >/dev/null
    docker start "$name" >/dev/null
  fi
  printf '%s\n' "$told" >&2
  exit 1
}

# Who has sent this waits ten seconds more: one to stop it, three for the one before to answer, and then it is told.
trap 'grace=1 before_deadline=3 why="stopped while it was being replaced"; fall_back' HUP INT TERM
begin
mkdir -p -- "$markers" || exit 1

# Somebody has given its name to a container of theirs. It may be all they have: it is kept, beside ours, and off.
if there "$name" && [ -z "$(stack_of "$name")" ]; then
  docker stop "$name" >/dev/null
  rename "$name" "$name-not-ours-$(docker container inspect --format '{{slice .Id 0 12}}' "$name")" || exit 1
fi
if [ "$mode" = replace ] && there "$name"; then
  if [ -e "$marker" ] && there "$previous"; then
    discard "$name" # an attempt of a run that died; what served before it is kept as the previous one
  else
    if there "$previous"; then
      docker stop "$previous" >/dev/null
      docker rm --force "$previous" >/dev/null || exit 1
    fi
    rename "$name" "$previous" || exit 1
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
if [ "$order" = stop-first ] && there "$previous"; then
  step start
  said=$(docker stop "$previous" 2>&1 >/dev/null) || { why="the one before it could not be stopped: $said"; fall_back; }
  step stop
fi
said=$(docker start "$name" 2>&1 >/dev/null) || { why="could not be started: $said"; fall_back; }
step start
prove || fall_back
said=$(docker update --restart "$policy" "$name" 2>&1 >/dev/null) || { why="could not be updated: $said"; fall_back; }
rm -f -- "$marker"
"""
)
"""Brings up one container and proves it; whatever goes wrong, the one before it serves again.

Arguments: name, mode (replace: another specification; start: the same), order (stop-first: the one before it stops
first; start-first: it runs on beside it), restart policy, seconds to get ready, seconds to stay ready, then address
(empty: the container's own), port, path and Host of its readiness (no path: HEALTHCHECK, or being up), release,
directory of markers, the six words of the readiness of the one before it, and the words for `docker create`. Prints
`step NAME WHAT BEGAN ENDED`, in hundredths of a second since the host's start.
"""

RETURN = (
    _PARTS
    + r"""
begin
looked=$previous
there "$previous" || exit 0
if [ "$order" = stop-first ] && there "$name"; then docker stop "$name" >/dev/null; step stop; fi
if [ "$(docker container inspect --format '{{.State.Running}}' "$previous")" != true ]; then
  said=$(docker start "$previous" 2>&1 >/dev/null) || {
    echo "$name: the one before could not be started: $said" >&2; exit 1; }
fi
step start
prove || { echo "$name: release $release, which served before, does not come back: $why" >&2; exit 1; }
"""
)
"""The container before this one serves again, beside this one (start-first) or after it has stopped. Arguments as
REPLACE's."""

REVERTED = r"""
set -u
name=$1 markers=$2 bad=0
read -r up _ < /proc/uptime; begun=${up%.*}${up#*.}
if docker container inspect "$name-previous" >/dev/null 2>&1; then
  if docker container inspect "$name" >/dev/null 2>&1; then
    docker stop "$name" >/dev/null
    docker rm --force "$name" >/dev/null || exit 1
  fi
  docker rename "$name-previous" "$name" || bad=1
fi
rm -f -- "$markers/$name"
read -r up _ < /proc/uptime
echo "step $name stop $begun ${up%.*}${up#*.}"
exit "$bad"
"""
"""The previous container has its name again; what took it from it is gone."""

STOPPED = r"""
set -u
read -r up _ < /proc/uptime; begun=${up%.*}${up#*.}
docker stop "$1" >/dev/null || exit 1
read -r up _ < /proc/uptime
echo "step ${1%-previous} stop $begun ${up%.*}${up#*.}"
"""
"""Stops a container within its grace and keeps it."""

RETIRE = r"""
set -eu
markers=$1; shift
for name in "$@"; do
  if docker container inspect "$name-previous" >/dev/null 2>&1; then docker rm --force "$name-previous" >/dev/null; fi
  # Docker cannot rename one that it is about to restart; stopped it is to be anyway.
  docker rename "$name" "$name-previous" 2>/dev/null ||
    { docker stop "$name" >/dev/null; docker rename "$name" "$name-previous"; }
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

STOP_SERVICE = r"""
set -eu
command -v docker >/dev/null 2>&1 || exit 0
ids=$(docker ps --quiet --filter "label=slipway.stack=$1" --filter "label=slipway.service=$2")
for id in $ids; do docker stop "$id" >/dev/null; echo "$id"; done
"""
"""Stops every container of a service, within its grace; prints those that it stopped."""
