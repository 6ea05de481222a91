"""What runs on a host when packages change: one script per purpose, each one remote command.

They share a beginning. Its positional parameters: policy file, its mark, seconds to wait for a lock.
"""

from __future__ import annotations

_BEGIN = """\
set -eu
policy=$1 mark=$2 patience=$3; shift 3
export DEBIAN_FRONTEND=noninteractive APT_LISTCHANGES_FRONTEND=none UCF_FORCE_CONFFOLD=1 NEEDRESTART_SUSPEND=1
# English for the messages looked for below, UTF-8 for what packages set up in the locale they find (database clusters).
unset LANGUAGE; export LC_ALL=C.UTF-8
uptime() { read -r up _ < /proc/uptime; printf '%s' "${up%%.*}"; }  # a clock that is set does not move it
deadline=$(($(uptime) + patience))
said=

# Runs a command, again and again while another process holds a lock, until the deadline. Its output is left in $said.
patiently() {
  while :; do
    rc=0; said=$("$@" 2>&1 < /dev/null) || rc=$?
    [ "$rc" -ne 0 ] || return 0
    case $said in
      *"held by process"* | *"locked by another process"* | *"Unable to acquire the dpkg frontend lock"*) ;;
      *) return "$rc" ;;
    esac
    if [ "$(uptime)" -ge "$deadline" ]; then
      printf 'another process still uses the package manager after %s s:\\n%s\\n' "$patience" "$said" >&2
      pid=$(printf '%s' "$said" | sed -nE 's/.*(process|pid) ([0-9]+).*/\\2/p' | head -n 1)
      [ -z "$pid" ] || printf 'process %s: %s\\n' "$pid" "$(tr '\\0' ' ' < "/proc/$pid/cmdline")" >&2
      echo 'HINT: wait for it to end (an unattended upgrade?), then run again.' >&2
      exit 75
    fi
    sleep 2  # apt waits for one lock of its three by itself; the other two are asked again this often
  done
}

# Half an hour is far more than the largest package takes on a slow disk; dpkg is repaired by the next run if it is cut.
apt() {
  timeout --kill-after=60 1800 apt-get -y -q --no-install-recommends -o "DPkg::Lock::Timeout=$patience" \
    -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold -o Acquire::Retries=3 -o Dpkg::Use-Pty=0 "$@"
}
fail() { printf '%s\\n' "$@" >&2; exit 1; }

# Services that run may be restarted, no other may be started. Somebody else's policy is left to decide.
start_nothing_new() {
  if [ -e "$policy" ] && ! grep -qF "$mark" "$policy"; then return 0; fi
  active=$(systemctl list-units --type=service --state=active,activating,reloading --plain --no-legend | cut -d' ' -f1)
  umask 022
  { printf '#!/bin/sh\\n# %s\\n# Removed when process %s has installed its packages.\\n' "$mark" "$$"
    printf 'kill -0 %s 2>/dev/null || exit 0\\n' "$$"
    printf 'case $1 in *.*) unit=$1 ;; *) unit=$1.service ;; esac\\ncase " %s " in *" $unit "*) exit 0 ;; esac\\n' \
      "$(printf '%s ' $active)"
    printf 'case ${2:-} in *start*) exit 101 ;; esac\\nexit 0\\n'
  } > "$policy.slipway-new"
  chmod 755 "$policy.slipway-new"
  trap 'exit 129' HUP INT PIPE TERM
  trap 'rm -f -- "$policy"' EXIT
  mv -fT -- "$policy.slipway-new" "$policy"
}

# A dead run that meant to start nothing left its policy: it holds for what is finished now.
finish_interrupted() {
  if [ -f "$policy" ] && grep -qF "$mark" "$policy"; then start_nothing_new; fi
  if ls /var/lib/dpkg/updates | grep -q '^[0-9]' ||
    dpkg-query -W -f '${db:Status-Status}\\n' | grep -qE '^(unpacked|half-|triggers-)'; then
    patiently dpkg --force-confdef --force-confold --configure -a || {
      # A package that cannot be configured before its dependencies are there; apt fetches them.
      first=$said; patiently apt -f install || fail 'dpkg was interrupted and cannot be finished:' "$first" "$said"
    }
  fi
  torn=$(dpkg-query -W -f '${db:Status-Eflag} ${db:Status-Status} ${Package}\\n' |
    sed -nE 's/^(reinstreq [a-z-]+|ok half-installed) //p')
  if [ -n "$torn" ]; then
    patiently apt -f install || true
    patiently apt install --reinstall -- $torn || fail "dpkg left these half installed: $torn" "$said" \
      "HINT: install their .deb files again, or give them up: dpkg --remove --force-remove-reinstreq NAME"
  fi
}
"""

REPAIR = (
    _BEGIN
    + """\
finish_interrupted
"""
)

INSTALL = (
    _BEGIN
    + """\
fresh=$1 start=$2; shift 2
stamp=/var/lib/slipway/package-lists
[ "$start" = yes ] || start_nothing_new
finish_interrupted

trouble=
fetch_lists() {
  patiently apt update -o APT::Update::Error-Mode=any || trouble=$said
  mkdir -p -m 755 -- "${stamp%/*}"; [ -n "$trouble" ] || : > "$stamp"
  fetched=yes
}
fetched=no
lists_are_current() {
  [ -n "$(find "$stamp" -mmin "-$fresh" 2>/dev/null)" ] && [ -n "$(ls /var/lib/apt/lists/*_Packages* 2>/dev/null)" ] &&
    [ -z "$(find /etc/apt -newer "$stamp" -not -path '*/apt.conf.d/*' -type f 2>/dev/null | head -n 1)" ]
}
versions_of() { apt-cache madison -- "$1" | cut -d'|' -f2 | tr -d ' '; }
newest() {  # of package $1, a version that matches $2
  for version in $(versions_of "$1"); do
    case $version in $2) printf '%s' "$version"; return 0 ;; esac
  done
  return 1
}
all_known() { for word in "$@"; do newest "${word%%=*}" "${word#*=}" > /dev/null || return 1; done; }

lists_are_current || fetch_lists
all_known "$@" || [ "$fetched" = yes ] || fetch_lists

listed() { sort -u | tr '\\n' ' '; }
complaints=
for word in "$@"; do
  name=${word%%=*} pattern=${word#*=}
  newest "$name" "$pattern" > /dev/null && continue
  there=$(versions_of "$name" | listed)
  if [ -n "$there" ]; then complaints="$complaints$name: no version $pattern; there are: $there
"
  else
    near=$(apt-cache pkgnames -- "$(printf '%.4s' "$name")" | listed | cut -d' ' -f1-5)
    by=$(apt-cache showpkg -- "$name" 2>/dev/null | sed '1,/^Reverse Provides/d' | cut -d' ' -f1 | listed)
    complaints="$complaints$name: this host's package sources have no such package"
    complaints="$complaints${by:+; name one that provides it: $by}${near:+; names that begin alike: $near}
"
  fi
done
if [ -n "$complaints" ]; then fail "${complaints%?}" ${trouble:+"fetching the package lists failed:" "$trouble"}; fi

# A version is named to apt only where one was asked for: then an older one and a held package may be moved too.
words() {
  for word in "$@"; do
    name=${word%%=*} pattern=${word#*=}
    if [ "$pattern" != '*' ]; then name=$name=$(newest "$name" "$pattern"); fi
    printf '%s\\n' "$name"
  done
}
move=
for word in "$@"; do [ "${word#*=}" = '*' ] || move='--allow-downgrades --allow-change-held-packages'; done
not_installed() { fail "$said" ${trouble:+"fetching the package lists failed:" "$trouble"}; }
if ! patiently apt install $move -- $(words "$@"); then
  # Lists that are behind their mirror name files that are gone; that is mended by fetching them, once.
  [ "$fetched" = no ] || not_installed
  fetch_lists
  patiently apt install $move -- $(words "$@") || not_installed
fi
# Whether all of it is there, in the versions that were asked for; else $wrong says what is not.
right() {
  for word in "$@"; do
    state=$(dpkg-query -W -f '${db:Status-Status} ${Version}' -- "${word%%=*}" 2>/dev/null) || true
    case $state in "installed "${word#*=}) continue ;; esac
    wrong="${word%%=*}: wanted ${word#*=}, but dpkg says '${state:-not installed}' although apt is done:"
    return 1
  done
}
# apt takes its cache for current where dpkg's status has the same second and size: then it is asked once without it.
right "$@" || patiently apt install -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= $move -- $(words "$@") ||
  not_installed
right "$@" || fail "$wrong" "$said"
"""
)

REMOVE = (
    _BEGIN
    + """\
verb=$1; shift
finish_interrupted
patiently apt "$verb" --allow-change-held-packages -- "$@" || fail "$said"
"""
)

HOLD = (
    _BEGIN
    + """\
mark_as=$1; shift
patiently apt-mark "$mark_as" -- "$@" || fail "$said"
"""
)
