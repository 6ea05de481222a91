"""What holds the lock on a host: a shell that lives as long as it hears from the run that started it."""

from __future__ import annotations

from slipway.facts.audit import CLIENT, RECORD
from slipway.seam.at_work import LIST

# bash, for `read -t`; on every Debian. No single quotes within: it is one word of the outer shell.
# Descriptor 9 is the lock; nothing that is started here keeps it open, so that it ends with this shell.
_BODY = """
token=$1 holder=$2 silence=$3 work=$4 patience=$5 line=$6 run=/run/slipway
say() { printf "%s\\n" "$*"; }
fail() { say "error $*"; exit 74; }

# Empty where the mark is of a holder that is gone: its successor has the lock and has not said so yet.
marked() {
  read -r pid who < <(cat $run/held-* 2>/dev/null)
  [ -n "$pid" ] && [ -d "/proc/$pid" ] && echo "$who"
}

take() {
  for try in {1..50}; do  # a tenth of a second each: somebody may only be looking, or be about to say who it is
    flock -n 9 && return
    who=$(marked) && { say "busy $who"; exit 75; }
    sleep 0.1 9>&-
  done
  say busy; exit 75
}

# Waits for commands of a run that died, as long as this run is heard; whoever holds the lock must not be deaf.
settle() {
  began=$SECONDS heard=$SECONDS told=
  until flock --nonblock "$work" true 9>&-; do
    [ -n "$told" ] || { told=yes; say "waits $(list "$work" 9>&- | tr "\\n" ";")"; }
    (( SECONDS - began < patience )) || { say "orphans $(list "$work" 9>&- | tr "\\n" ";")"; exit 75; }
    if IFS= read -r -t 1 line; then heard=$SECONDS; elif (( $? <= 128 )); then exit 0; fi
    (( SECONDS - heard < silence )) || exit 0
  done
}

begin() {
  if why=$(record "{\\"from\\":\\"$from\\",${1#?}" 2>&1 9>&-); then say begun; else say "error $why" | head -n 1; fi
}

# Started ahead of its turn: whoever did it beats meanwhile.
until [ "$line" = now ] || [ "$line" = take ]; do IFS= read -r -t "$silence" line || exit 0; done
umask 022
[ -d $run ] || mkdir -p -m 755 $run 2>/dev/null
{ exec 9>>$run/lock; } 2>/dev/null || fail "cannot write $run: full, or read-only?"
trap "exit 129" HUP INT PIPE TERM
take
trap "rm -f $run/held-$token" EXIT
for mark in $run/held-*; do [ ! -e "$mark" ] || rm -f "$mark"; done
{ printf "%s %s\\n" "$$" "$holder" > $run/held-$token; } 2>/dev/null || fail "cannot write $run: full, or read-only?"
settle
say held
from=$(client 2>/dev/null 9>&-)
while IFS= read -r -t "$silence" line; do
  case $line in
    "begin "*) begin "${line#begin }";;
    "end "*) record "${line#end }" >/dev/null 2>&1 9>&-;;
    *) say "$line";;
  esac
done
"""

HOLD = f"""\
exec bash -c '
{RECORD}{CLIENT}
list() {{
{LIST}}}
{_BODY}' slipway-lock "$@"
"""
"""Takes the lock, and holds it until its input ends or nothing comes for `silence` seconds.

Arguments: token, the holder as JSON, silence, the directory whose shared lock changing commands hold, how many seconds
their end is waited for, and whether it is its turn: `now`, or `later`, when it reads `take`.
Says `held`; or `busy HOLDER`, `orphans WHAT`, `error WHY` and ends. Before that it may say `waits WHAT`.
Reads `beat` and says it; `begin JSON` and says `begun` or `error WHY`; `end JSON`.
"""
